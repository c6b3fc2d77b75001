/** One watch of the API: its events, one at a time, until the server ends it. */

import type { IncomingMessage } from 'node:http';
import { asError } from '../../common/errno.ts';
import { LineReader, type LineSink } from '../../common/line_reader.ts';
import { anything, part, record, text } from '../../common/shape.ts';
import type { ApiClient, Query } from './api_client.ts';
import { AnswerMalformed, answerMalformed, EndedEarly, failureOf, NoInitialEvents } from './api_failure.ts';
import { type RawObject, readRawObject } from './raw_object.ts';

/** No event is longer: etcd bounds objects at 1.5 MiB, bytes. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** On the bookmark after all that there is. Source: `metav1.InitialEventsAnnotationKey`. */
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

const watchEvent = part({ type: text(), object: anything });

const bookmark = part({ metadata: part({ resourceVersion: text() }, { annotations: record(text()) }) });

/** An event. A bookmark only says how far the watch has come. */
export type WatchEvent =
  | { readonly type: 'put' | 'remove'; readonly object: RawObject; readonly resourceVersion: string }
  | {
      readonly type: 'bookmark';
      readonly resourceVersion: string;
      /** All that there is has been shown. */
      readonly endsInitial: boolean;
    };

/** With what a watch begins. */
export type WatchStart =
  /** With what comes after a version. */
  | { readonly kind: 'after'; readonly version: string }
  /** With all that there is, as of now, or as of `notOlderThan` or later; then it goes on. WatchList, KEP-3157. */
  | { readonly kind: 'all'; readonly notOlderThan: string | undefined };

/** How a watch is asked for. */
export interface WatchOptions {
  readonly path: string;
  readonly start: WatchStart;
  readonly timeoutSeconds: number;
  /** Silence after which the connection is taken for dead, ms. Bookmarks come about once a minute. */
  readonly idleTimeoutMs: number;
  /** The same while it shows all that there is, ms. */
  readonly initialIdleTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Who follows a watch. */
export interface WatchListener {
  /** The server has agreed to the watch. */
  opened(): void;
  /** One event, in order. Half an event, left by a broken connection, is none. */
  takeIn(event: WatchEvent): void;
  /** All that there was at this revision has been taken in; the watch goes on once this resolves. */
  initialTakenIn(resourceVersion: string): Promise<void>;
  /** What was taken in may be passed on: others have their turn now, or nothing more is at hand. */
  passOn(): void;
}

/**
 * Follows changes; returns when the server ends the watch in good order.
 * @throws ApiFailure what the server refuses or ends it with (410: the revision is forgotten), AnswerMalformed, NoInitialEvents,
 *   EndedEarly, Error of the connection, or of the signal
 */
export async function watch(
  client: ApiClient,
  options: WatchOptions,
  listener: WatchListener,
): Promise<void> {
  const response = await client.get(options.path, queryOf(options), options.signal);
  listener.opened();
  const silence = new Silence(response, options);
  const reading = new Reading(client, options, listener, silence);
  try {
    for await (const chunk of response) {
      silence.heard();
      await reading.chunk(chunk as Buffer);
    }
  } finally {
    silence.stop();
    response.destroy();
  }
  if (reading.isInitial) throw new EndedEarly('the watch ended before it had shown all that there is');
}

function queryOf({ start, timeoutSeconds }: WatchOptions): Query {
  const query = { watch: true, allowWatchBookmarks: true, timeoutSeconds };
  if (start.kind === 'after') return { ...query, resourceVersion: start.version };
  return {
    ...query,
    sendInitialEvents: true,
    // `sendInitialEvents` requires it.
    resourceVersionMatch: 'NotOlderThan',
    resourceVersion: start.notOlderThan,
  };
}

/** Ends a watch on which nothing is heard. */
class Silence {
  readonly #response: IncomingMessage;
  readonly #options: WatchOptions;
  #timer: NodeJS.Timeout;

  constructor(response: IncomingMessage, options: WatchOptions) {
    this.#response = response;
    this.#options = options;
    const { start, idleTimeoutMs, initialIdleTimeoutMs } = options;
    this.#timer =
      start.kind === 'after'
        ? this.#bound(idleTimeoutMs, Error)
        : this.#bound(initialIdleTimeoutMs, NoInitialEvents);
  }

  /** Something is heard. */
  heard(): void {
    this.#timer.refresh();
  }

  /** All that there is has been shown. */
  initialTakenIn(): void {
    this.stop();
    this.#timer = this.#bound(this.#options.idleTimeoutMs, Error);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #bound(ms: number, Failure: new (message: string) => Error): NodeJS.Timeout {
    return setTimeout(() => this.#response.destroy(new Failure(`nothing was heard for ${ms} ms`)), ms);
  }
}

/** Reads a watch. A line that is no event ends it: what comes after it does not count. */
class Reading implements LineSink {
  /** Whether all that there is has still to be shown. */
  isInitial: boolean;
  readonly #client: ApiClient;
  readonly #options: WatchOptions;
  readonly #listener: WatchListener;
  readonly #silence: Silence;
  readonly #reader = new LineReader(MAX_LINE_BYTES, this);
  /** Those of the present chunk. */
  #lines: string[] = [];

  constructor(client: ApiClient, options: WatchOptions, listener: WatchListener, silence: Silence) {
    this.#client = client;
    this.#options = options;
    this.#listener = listener;
    this.#silence = silence;
    this.isInitial = options.start.kind === 'all';
  }

  line(text: string): void {
    if (text !== '') this.#lines.push(text);
  }

  /** Parses and takes in the lines of a chunk, one by one. Others have a turn in between where they are many. */
  async chunk(chunk: Buffer): Promise<void> {
    const { slice } = this.#client;
    const isBounded = this.#reader.push(chunk);
    const lines = this.#lines;
    this.#lines = [];
    try {
      for (const line of lines) {
        await this.#take(line);
        if (!slice.isUsed()) continue;
        this.#listener.passOn();
        await slice.next();
        this.#options.signal.throwIfAborted();
      }
    } finally {
      this.#listener.passOn();
    }
    if (!isBounded)
      throw new AnswerMalformed(`${this.#options.path}: an event longer than ${MAX_LINE_BYTES} bytes`);
  }

  #take(line: string): Promise<void> | undefined {
    const event = readEvent(line);
    if (event instanceof Error) throw event;
    if (!this.isInitial || event.type !== 'bookmark') {
      this.#listener.takeIn(event);
      return undefined;
    }
    // A server that streams lists sends no other bookmark before this one.
    if (!event.endsInitial) throw new NoInitialEvents('a bookmark does not say that all there is was shown');
    this.isInitial = false;
    this.#silence.initialTakenIn();
    return this.#listener.initialTakenIn(event.resourceVersion);
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
        const { resourceVersion, annotations = {} } = metadata;
        return { type: 'bookmark', resourceVersion, endsInitial: annotations[INITIAL_EVENTS_END] === 'true' };
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
