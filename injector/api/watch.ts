/** One watch of the API: its events, a chunk at a time, until the server ends it. */

import { asError } from '../../common/errno.ts';
import { LineReader, type LineSink } from '../../common/line_reader.ts';
import { anything, part, text } from '../../common/shape.ts';
import type { ApiClient } from './api_client.ts';
import { AnswerMalformed, answerMalformed, failureOf } from './api_failure.ts';
import { type RawObject, readRawObject } from './raw_object.ts';

/** No event is longer: etcd bounds objects at 1.5 MiB, bytes. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

const watchEvent = part({ type: text(), object: anything });

const bookmark = part({ metadata: part({ resourceVersion: text() }) });

/** An event. A bookmark only says how far the watch has come. */
export type WatchEvent =
  | { readonly type: 'put' | 'remove'; readonly object: RawObject; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string };

/** How a watch is asked for. */
export interface WatchOptions {
  readonly path: string;
  /** What comes after this is shown. */
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  /** Silence after which the connection is taken for dead, ms. Bookmarks come about once a minute. */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Who follows a watch. */
export interface WatchListener {
  /** The server has agreed to the watch. */
  opened(): void;
  /** The events of one chunk, in order. Half an event, left by a broken connection, is none. */
  takeIn(events: readonly WatchEvent[]): void;
}

/**
 * Follows changes; returns when the server ends the watch in good order.
 * @throws ApiFailure what the server refuses or ends it with (410: the revision is forgotten), AnswerMalformed, Error of
 *   the connection
 */
export async function watch(
  client: ApiClient,
  options: WatchOptions,
  listener: WatchListener,
): Promise<void> {
  const { path, resourceVersion, timeoutSeconds, idleTimeoutMs, signal } = options;
  const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
  const response = await client.get(path, query, signal);
  listener.opened();
  const dead = (): void => void response.destroy(new Error(`nothing was heard for ${idleTimeoutMs} ms`));
  const timer = setTimeout(dead, idleTimeoutMs);
  const chunkEvents = new ChunkEvents();
  const lines = new LineReader(MAX_LINE_BYTES, chunkEvents);
  try {
    for await (const chunk of response) {
      timer.refresh();
      if (!lines.push(chunk as Buffer))
        chunkEvents.failure ??= new AnswerMalformed(`${path}: an event longer than ${MAX_LINE_BYTES}`);
      const events = chunkEvents.take();
      if (events.length > 0) listener.takeIn(events);
      if (chunkEvents.failure !== undefined) throw chunkEvents.failure;
    }
  } finally {
    clearTimeout(timer);
    response.destroy();
  }
}

/** Gathers the events of a chunk. A line that is no event ends the watch: what comes after it does not count. */
class ChunkEvents implements LineSink {
  /** What ends the watch, once what came before it is taken in. */
  failure: Error | undefined;
  #events: WatchEvent[] = [];

  line(text: string): void {
    if (this.failure !== undefined || text === '') return;
    const event = readEvent(text);
    if (event instanceof Error) this.failure = event;
    else this.#events.push(event);
  }

  /** Those that have come since the last call. */
  take(): readonly WatchEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

/** The event of a line, or what ends the watch. */
function readEvent(line: string): WatchEvent | Error {
  try {
    const { type, object } = watchEvent.readJson(line, 'a watch event', answerMalformed);
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        return changed('put', object);
      case 'DELETED':
        return changed('remove', object);
      case 'BOOKMARK': {
        const { metadata } = bookmark.read(object, 'a bookmark', answerMalformed);
        return { type: 'bookmark', resourceVersion: metadata.resourceVersion };
      }
      case 'ERROR':
        return failureOf(0, object);
      default:
        return answerMalformed(`an event of the unknown type ${JSON.stringify(type)}`);
    }
  } catch (error) {
    return asError(error);
  }
}

function changed(type: 'put' | 'remove', value: unknown): WatchEvent {
  const object = readRawObject(value);
  return { type, object, resourceVersion: object.metadata.resourceVersion };
}
