/** One watch: the changes of one resource as lines of JSON, until its time is over or the connection is cut. */

import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { unreachable } from '../../../common/errors.ts';
import { ApiError, expired, invalid } from './api_error.ts';
import type { ApiObject, Json } from './api_object.ts';
import { drained } from './drained.ts';
import type { FaultAction } from './faults.ts';
import { requireReached } from './list.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { readSelectors, type Selector } from './selectors.ts';
import { isIn, type Store, type StoreEvent } from './store.ts';

const MS_PER_SECOND = 1000;

/** Without `timeoutSeconds` a watch lasts this long, seconds. */
const DEFAULT_TIMEOUT_SECONDS = 1_800;

/**
 * What becomes of a watch that is to begin with all that there is: older servers refuse it, or take no notice. Servers with an old
 * etcd agree to it, and then end it.
 */
export type WatchLists = 'served' | 'refused' | 'ignored' | 'old etcd';

/** Source: `Cacher.Watch` of apiserver. */
const OLD_ETCD = new ApiError(
  500,
  'InternalError',
  'a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled',
);

/** What a watch is to show. */
export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  readonly watchLists: WatchLists;
  /** `break-initial-events`; others are not for a watch that has begun. */
  readonly fault?: FaultAction | undefined;
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
  /** Changes that wait until all that there was is shown; undefined: it is. */
  #waiting: StoreEvent[] | undefined;
  #stalled = false;
  #stop: () => void = () => undefined;

  /** @throws ApiError what a watch is refused with before it begins */
  constructor(store: Store, request: WatchRequest, response: ServerResponse) {
    const { query, fault } = request;
    const version = query.get('resourceVersion');
    const sendsInitial = readSendInitial(request);
    if (sendsInitial) requireReached(store.revision, version);
    this.#store = store;
    this.#response = response;
    this.resource = request.resource;
    this.#namespace = request.namespace;
    this.#wanted = readSelectors(query);
    this.#bookmarks = query.get('allowWatchBookmarks') === 'true';
    const showsAll = sendsInitial || version === null || version === '' || version === '0';
    const since = showsAll ? store.revision : Number(version) || 0;
    this.#since = since;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (sendsInitial && request.watchLists === 'old etcd') {
      this.fail(OLD_ETCD);
      return;
    }
    const seconds = Number(query.get('timeoutSeconds') ?? 0) || DEFAULT_TIMEOUT_SECONDS;
    const timer = setTimeout(() => this.end(), seconds * MS_PER_SECOND);
    response.on('close', () => {
      clearTimeout(timer);
      this.#stop();
    });
    if (showsAll) {
      this.#waiting = [];
      void this.#showAll(store.list(this.resource, this.#namespace), sendsInitial, fault);
    }
    try {
      this.#stop = store.follow(since, (event) => this.#show(event));
    } catch (error) {
      // The answer has begun: from here on faults are events.
      if (!(error instanceof ApiError)) throw error;
      this.fail(error);
    }
  }

  /** Says how far the watch has come, if the client wanted to know, and all that there was is shown. */
  bookmark(): void {
    if (this.#bookmarks && this.#waiting === undefined) this.#writeBookmark(this.#store.revision, {});
  }

  #writeBookmark(revision: number, more: Json): void {
    const object = {
      kind: this.resource.kind,
      apiVersion: apiVersionOf(this.resource),
      metadata: { resourceVersion: String(revision), creationTimestamp: null, ...more },
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

  /** Shows all that there was, no faster than it is read, then what has changed meanwhile. */
  async #showAll(
    objects: readonly ApiObject[],
    sendsInitial: boolean,
    fault: FaultAction | undefined,
  ): Promise<void> {
    const breaks = sendsInitial && fault?.do === 'break-initial-events' ? fault : undefined;
    const by = breaks?.by;
    let left = breaks?.after ?? Number.POSITIVE_INFINITY;
    for (const object of objects.filter(this.#wanted)) {
      if (left === 0) break;
      left -= 1;
      this.write({ type: 'ADDED', object });
      if (!this.#writable) return;
      if (this.#response.writableNeedDrain) await drained(this.#response);
    }
    switch (by) {
      case 'cut':
        await delay(1); // so that what was written leaves before the reset
        return this.cut(false);
      case 'gone':
        return this.fail(expired('too old resource version'));
      case 'end':
        return this.end();
      case 'silence':
        return this.stall();
      case undefined:
        break;
      default:
        return unreachable(by);
    }
    if (sendsInitial)
      this.#writeBookmark(this.#since, { annotations: { 'k8s.io/initial-events-end': 'true' } });
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const event of waiting) this.#show(event);
  }

  #show(event: StoreEvent): void {
    if (
      event.revision <= this.#since ||
      event.resource !== this.resource ||
      !isIn(event.object, this.#namespace)
    )
      return;
    if (this.#waiting !== undefined) {
      this.#waiting.push(event);
      return;
    }
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

/** @throws ApiError 422 what `validateWatchOptions` of apimachinery refuses */
function readSendInitial({ query, watchLists }: WatchRequest): boolean {
  if (watchLists === 'ignored') return false;
  const isAsked = query.has('sendInitialEvents');
  const match = query.get('resourceVersionMatch');
  if (isAsked && match !== 'NotOlderThan')
    throw invalid('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (isAsked && watchLists === 'refused')
    throw invalid('sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled');
  if (!isAsked && match !== null)
    throw invalid('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  return query.get('sendInitialEvents') === 'true';
}
