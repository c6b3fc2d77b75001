/** One watch: the changes of one resource as lines of JSON, until its time is over or the connection is cut. */

import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from './api_error.ts';
import type { ApiObject, Json } from './api_object.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { readSelectors, type Selector } from './selectors.ts';
import { isIn, type Store, type StoreEvent } from './store.ts';

const MS_PER_SECOND = 1000;

/** Without `timeoutSeconds` a watch lasts this long, seconds. */
const DEFAULT_TIMEOUT_SECONDS = 1_800;

/** What a watch is to show. */
export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
}

/** A watch that is open. */
export class OpenWatch {
  readonly resource: Resource;
  readonly #response: ServerResponse;
  readonly #store: Store;
  readonly #namespace: string | undefined;
  readonly #wanted: Selector;
  readonly #bookmarks: boolean;
  /** Changes up to this revision are known to who watches; it may be one that is still to come. */
  readonly #since: number;
  #stalled = false;
  #stop: () => void = () => undefined;

  /** @throws ApiError what a watch is refused with before it begins */
  constructor(store: Store, request: WatchRequest, response: ServerResponse) {
    const { query } = request;
    const version = query.get('resourceVersion');
    this.#store = store;
    this.#response = response;
    this.resource = request.resource;
    this.#namespace = request.namespace;
    this.#wanted = readSelectors(query);
    this.#bookmarks = query.get('allowWatchBookmarks') === 'true';
    this.#since = Number(version) || 0;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (version === null || version === '' || version === '0') this.#showAll();
    const seconds = Number(query.get('timeoutSeconds') ?? 0) || DEFAULT_TIMEOUT_SECONDS;
    const timer = setTimeout(() => this.end(), seconds * MS_PER_SECOND);
    response.on('close', () => {
      clearTimeout(timer);
      this.#stop();
    });
    try {
      this.#stop = store.follow(Number(version) || store.revision, (event) => this.#show(event));
    } catch (error) {
      // The answer has begun: from here on faults are events.
      if (!(error instanceof ApiError)) throw error;
      this.fail(error);
    }
  }

  /** Says how far the watch has come, if the client wanted to know. */
  bookmark(): void {
    if (!this.#bookmarks) return;
    const object = {
      kind: this.resource.kind,
      apiVersion: apiVersionOf(this.resource),
      metadata: { resourceVersion: String(this.#store.revision), creationTimestamp: null },
    };
    this.write({ type: 'BOOKMARK', object });
  }

  /** Ends as a watch ends whose time is over: with a bookmark. */
  end(): void {
    this.bookmark();
    this.#stop();
    this.#response.end();
  }

  /** Ends with an ERROR event. */
  fail(error: ApiError): void {
    this.write({ type: 'ERROR', object: error.status });
    this.#stop();
    this.#response.end();
  }

  /** Cuts the connection; `midLine` leaves half an event behind. */
  async cut(midLine: boolean): Promise<void> {
    this.#stop();
    if (midLine && this.#writable) {
      this.#response.write('{"type":"MODIFIED","object":{"metadata":{"na');
      await delay(1); // so that it leaves before the reset
    }
    this.#response.destroy();
  }

  /** Says nothing any more, as a connection does whose other end has vanished. */
  stall(): void {
    this.#stalled = true;
  }

  get #writable(): boolean {
    return !this.#response.writableEnded && !this.#response.destroyed;
  }

  #showAll(): void {
    for (const object of this.#store.list(this.resource, this.#namespace))
      if (this.#wanted(object)) this.write({ type: 'ADDED', object });
  }

  #show(event: StoreEvent): void {
    if (
      event.revision <= this.#since ||
      event.resource !== this.resource ||
      !isIn(event.object, this.#namespace)
    )
      return;
    const is = event.type !== 'DELETED' && this.#wanted(event.object);
    const was = event.previous !== undefined && this.#wanted(event.previous);
    // To a selector, an object that comes to match is new, and one that no longer does is gone.
    if (is) this.write({ type: was ? 'MODIFIED' : 'ADDED', object: event.object });
    else if (was) this.write({ type: 'DELETED', object: event.object });
  }

  /** Sends an event, of any form. */
  write(event: { readonly type: string; readonly object: Json | ApiObject }): void {
    if (!this.#stalled && this.#writable) this.#response.write(`${JSON.stringify(event)}\n`);
  }
}
