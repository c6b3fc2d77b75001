/** One watch of the API: its events, a chunk at a time, until the server ends it. */

import { asError } from '../../common/errno.ts';
import { LineReader } from '../../common/line_reader.ts';
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

/**
 * Follows changes; returns when the server ends the watch in good order.
 * @param onOpen called once the server has agreed
 * @param onEvents called with the events of each chunk, in order. Half an event, left by a broken connection, is none.
 * @throws ApiFailure what the server refuses or ends it with (410: the revision is forgotten), AnswerMalformed, Error of
 *   the connection
 */
export async function watch(
  client: ApiClient,
  options: WatchOptions,
  onOpen: () => void,
  onEvents: (events: readonly WatchEvent[]) => void,
): Promise<void> {
  const { path, resourceVersion, timeoutSeconds, idleTimeoutMs, signal } = options;
  const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
  const response = await client.get(path, query, signal);
  onOpen();
  const dead = (): void => void response.destroy(new Error(`nothing was heard for ${idleTimeoutMs} ms`));
  const timer = setTimeout(dead, idleTimeoutMs);
  let events: WatchEvent[] = [];
  let failure: Error | undefined;
  const lines = new LineReader(MAX_LINE_BYTES, (line) => {
    if (failure !== undefined || line === '') return;
    const event = readEvent(line);
    if (event instanceof Error) failure = event;
    else events.push(event);
  });
  try {
    for await (const chunk of response) {
      timer.refresh();
      if (!lines.push(chunk as Buffer))
        failure ??= new AnswerMalformed(`${path}: an event longer than ${MAX_LINE_BYTES}`);
      if (events.length > 0) onEvents(events);
      events = [];
      if (failure !== undefined) throw failure;
    }
  } finally {
    clearTimeout(timer);
    response.destroy();
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
