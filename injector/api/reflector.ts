/**
 * Keeps a copy of one resource: all that there is, then what changes, for ever. Fail static: while the server is away
 * what was heard last stays. Nothing is lost or passed on twice: a watch that ends goes on from the last event that was taken
 * in; a revision that the server has forgotten means a new list, of which only the differences are passed on.
 *
 * A list is a watch that begins with all that there is. A server that does not know of that gives one from its cache.
 * docs/adr/0038-lists-from-the-watch-cache.md
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Backoff, type BackoffBounds, jittered } from '../../common/backoff.ts';
import { messageOf } from '../../common/errno.ts';
import type { ApiClient } from './api_client.ts';
import {
  AnswerMalformed,
  ApiFailure,
  EndedEarly,
  isGone,
  isOutOfReach,
  isUnstreamable,
} from './api_failure.ts';
import { KnownObjects, type ListIntake, type ObjectChange } from './known_objects.ts';
import { type Freshness, listAll } from './list.ts';
import type { RawObject } from './raw_object.ts';
import { type WatchEvent, type WatchListener, type WatchStart, watch } from './watch.ts';

/** Times of a reflector; tests shorten them. */
export interface ReflectorTimes {
  /** The server ends a watch after a time between these, seconds: as long as client-go's, short of what proxies allow. */
  readonly watchSeconds: readonly [number, number];
  /** Silence after which a watch is taken for dead, ms: bookmarks come about once a minute. */
  readonly idleTimeoutMs: number;
  /**
   * Silence after which a watch that is to begin with all that there is, and has not said that this was all, is taken for one
   * that never will, ms: client-go warns then.
   */
  readonly initialIdleTimeoutMs: number;
  readonly backoff: BackoffBounds;
  /** Before the next watch after one that the server ended, in good order, at once, ms. */
  readonly pauseMs: readonly [number, number];
}

const DEFAULT_TIMES: ReflectorTimes = {
  watchSeconds: [240, 300],
  idleTimeoutMs: 150_000,
  initialIdleTimeoutMs: 10_000,
  backoff: { firstMs: 100, lastMs: 10_000 },
  pauseMs: [250, 500],
};

/** A watch that held this long was a good one, ms: the next failure is not the last one's successor. */
const GOOD_WATCH_MS = 5_000;

/** So many lists in a row that a server ends before their end, in good order: then it is asked for them in the other way. */
const MAX_ENDED_EARLY = 3;

/** Objects of the first list that are passed on at once: some milliseconds of work. */
const FIRST_LIST_PART = 100;

/** What happened, for metrics. */
export interface ReflectorEvents {
  listed(): void;
  event(type: WatchEvent['type']): void;
  failed(what: 'list' | 'watch'): void;
}

/** What to reflect. */
export interface ReflectorSpec<T> {
  readonly client: ApiClient;
  /** Collection, such as `/api/v1/pods`. */
  readonly path: string;
  /** Makes of an object what is passed on. Must not throw. */
  trim(object: RawObject): T;
  /** The changes of a list in the order in which they are to be passed on: of themselves they have none. Must not throw. */
  order?(changes: readonly ObjectChange<T>[]): readonly ObjectChange<T>[];
  /** Is passed changes in order. Those of a list come in one call, but for the first list, which comes in parts. Must not throw. */
  sink(changes: readonly ObjectChange<T>[]): void;
  readonly events: ReflectorEvents;
  readonly log: Logger;
  readonly times?: Partial<ReflectorTimes>;
}

/** A list that is under way. */
interface Renewal<T> {
  readonly intake: ListIntake<T>;
  readonly freshness: Freshness;
  /** Who asked for it. */
  readonly waiters: readonly (() => void)[];
}

export class Reflector<T> implements WatchListener {
  readonly #spec: ReflectorSpec<T>;
  readonly #times: ReflectorTimes;
  readonly #known: KnownObjects<T>;
  readonly #watchBackoff: Backoff;
  readonly #listBackoff: Backoff;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #synced = false;
  #heardMs = performance.now();
  /** Of the last list or event; undefined while only a list helps. */
  #version: string | undefined;
  /** The newest that was ever shown: what comes after must not be older. */
  #newest: string | undefined;
  /** The server cannot give a list by `#newest`: the next one is as new as storage. */
  #isNewestOutOfReach = false;
  /** Whether the server streams lists, as far as is known. */
  #streams = true;
  /** Streamed lists in a row that the server ended before their end. */
  #endedEarly = 0;
  #renewal: Renewal<T> | undefined;
  /** Taken in from the watch, and not yet passed on. */
  #changes: ObjectChange<T>[] = [];
  /** Aborted when the present watch, or the wait for the next attempt, is to give way to a list. */
  #turn = new AbortController();
  #listWaiters: (() => void)[] = [];

  /** Begins at once. */
  constructor(spec: ReflectorSpec<T>) {
    this.#spec = spec;
    this.#times = { ...DEFAULT_TIMES, ...spec.times };
    this.#known = new KnownObjects(spec);
    this.#watchBackoff = new Backoff(this.#times.backoff);
    this.#listBackoff = new Backoff(this.#times.backoff);
    this.#log = spec.log.child({ path: spec.path });
    this.#running = this.#run();
  }

  /** Whether a whole list has been taken in. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Time since the server last confirmed that the copy is current, ms: a list, an event, a bookmark, a new watch. */
  get ageMs(): number {
    return performance.now() - this.#heardMs;
  }

  /** How many objects there are. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Lists again, as new as storage; resolves once a list that was begun after this call has been taken in, or the reflector is
   * closed. Of a large resource this is costly.
   */
  relist(): Promise<void> {
    const listed = new Promise<void>((resolve) => this.#listWaiters.push(resolve));
    // One that is under way goes on: who asks more often than a list takes would never see one.
    if (this.#renewal === undefined) this.#turn.abort();
    return listed;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#turn.abort();
    await this.#running;
    for (const waiter of this.#listWaiters.splice(0)) waiter();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      this.#turn = new AbortController();
      const version = this.#version;
      if (version !== undefined && this.#listWaiters.length === 0)
        await this.#watchOnce({ kind: 'after', version });
      else await this.#renew();
    }
  }

  /** Takes in a list. If it is streamed, its watch then goes on with what changes. */
  async #renew(): Promise<void> {
    const renewal = this.#beginRenewal();
    if (this.#streams) {
      const { freshness } = renewal;
      const notOlderThan = typeof freshness === 'object' ? freshness.notOlderThan : undefined;
      await this.#watchOnce({ kind: 'all', notOlderThan });
    } else await this.#list(renewal);
    this.#dropRenewal();
  }

  #beginRenewal(): Renewal<T> {
    // A request for a list that comes from here on needs another list.
    const waiters = this.#listWaiters.splice(0);
    const freshness = waiters.length > 0 ? 'now' : this.#freshness();
    this.#renewal = { intake: this.#known.beginList(), freshness, waiters };
    return this.#renewal;
  }

  /** What is shown must never be older than what was shown before. */
  #freshness(): Freshness {
    if (this.#isNewestOutOfReach) return 'now';
    return this.#newest === undefined ? 'any' : { notOlderThan: this.#newest };
  }

  /** What was taken in of a list that has not come to its end does not count. */
  #dropRenewal(): void {
    if (this.#renewal === undefined) return;
    this.#listWaiters.unshift(...this.#renewal.waiters);
    this.#renewal = undefined;
  }

  async #list({ freshness, intake }: Renewal<T>): Promise<void> {
    const { client, path } = this.#spec;
    const { signal } = this.#turn;
    try {
      await this.initialTakenIn(await listAll({ client, path, freshness, signal }, intake));
    } catch (error) {
      if (!signal.aborted) await this.#endureList(error);
    }
  }

  async #watchOnce(start: WatchStart): Promise<void> {
    const { signal } = this.#turn;
    const beganMs = performance.now();
    const heldLong = (): boolean => performance.now() - beganMs >= GOOD_WATCH_MS;
    try {
      await this.#watch(start, signal);
      // The server ended it in good order, but one that does so at once must not be asked without end.
      if (!heldLong()) await this.#sleep(jittered(...this.#times.pauseMs));
    } catch (error) {
      if (signal.aborted) return;
      if (this.#renewal !== undefined) return await this.#endureStream(error);
      if (heldLong()) this.#watchBackoff.reset();
      if (isGone(error) || error instanceof AnswerMalformed) this.#version = undefined;
      await this.#endureWatch(error);
    }
  }

  async #watch(start: WatchStart, signal: AbortSignal): Promise<void> {
    const { client, path } = this.#spec;
    const { watchSeconds, idleTimeoutMs, initialIdleTimeoutMs } = this.#times;
    const timeoutSeconds = Math.round(jittered(...watchSeconds));
    const options = { path, start, timeoutSeconds, idleTimeoutMs, initialIdleTimeoutMs, signal };
    await watch(client, options, this);
  }

  /** See `WatchListener`. */
  opened(): void {
    // Of all that there is, nothing has been shown yet.
    if (this.#renewal === undefined) this.#heard();
  }

  /** See `WatchListener`. */
  takeIn(event: WatchEvent): void {
    if (this.#renewal !== undefined) {
      // Their versions have no order: there is nothing to go on from before the end.
      if (event.type === 'put') this.#renewal.intake.add(event.object);
      else if (event.type === 'remove') this.#renewal.intake.remove(event.object);
      return;
    }
    this.#heard();
    this.#spec.events.event(event.type);
    if (event.type === 'put') this.#changes.push(...this.#known.put(event.object));
    else if (event.type === 'remove') this.#changes.push(...this.#known.remove(event.object));
    this.#reached(event.resourceVersion);
    this.#watchBackoff.reset();
  }

  /** See `WatchListener`. */
  passOn(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    this.#spec.sink(changes);
  }

  /** A whole list has been taken in, streamed or not; see `WatchListener`. */
  async initialTakenIn(resourceVersion: string): Promise<void> {
    const renewal = this.#renewal;
    if (renewal === undefined) return;
    const changes = renewal.intake.finish();
    await this.#passOnList(this.#spec.order?.(changes) ?? changes);
    if (this.#closed) return;
    this.#renewal = undefined;
    this.#reached(resourceVersion);
    this.#isNewestOutOfReach = false;
    this.#endedEarly = 0;
    this.#listBackoff.reset();
    this.#heard();
    if (!this.#synced) this.#log.info({ objects: this.size }, 'synced with the API server');
    this.#synced = true;
    this.#spec.events.listed();
    for (const waiter of renewal.waiters) waiter();
    if (this.#listWaiters.length > 0) this.#turn.abort();
  }

  /**
   * The first list comes in parts, and others have their turn in between: nobody relies on what is not synced. A later one comes
   * at once: a policy that is gone and the one in its place must not be seen apart.
   */
  async #passOnList(changes: readonly ObjectChange<T>[]): Promise<void> {
    const { slice } = this.#spec.client;
    const atOnce = this.#synced ? changes.length : FIRST_LIST_PART;
    for (let from = 0; from < changes.length && !this.#closed; from += atOnce) {
      this.#spec.sink(changes.slice(from, from + atOnce));
      if (slice.isUsed()) await slice.next();
    }
  }

  #reached(version: string): void {
    this.#version = version;
    this.#newest = version;
  }

  #heard(): void {
    this.#heardMs = performance.now();
  }

  /** A streamed list failed, before its end. */
  async #endureStream(error: unknown): Promise<void> {
    if (error instanceof EndedEarly) this.#endedEarly += 1;
    if (!isUnstreamable(error) && this.#endedEarly < MAX_ENDED_EARLY) return await this.#endureList(error);
    this.#streams = false;
    this.#log.info(`the API server does not stream lists, they come from its cache: ${messageOf(error)}`);
  }

  /** A list failed. The watch goes on meanwhile, where it can. */
  async #endureList(error: unknown): Promise<void> {
    this.#dropRenewal();
    if (isOutOfReach(error)) this.#isNewestOutOfReach = true;
    const waitMs = this.#failed('list', error, this.#listBackoff);
    const { signal } = this.#turn;
    const timer = setTimeout(() => this.#turn.abort(), waitMs);
    try {
      while (this.#version !== undefined && !signal.aborted)
        await this.#watchOnce({ kind: 'after', version: this.#version });
      await this.#sleep(waitMs);
    } finally {
      clearTimeout(timer);
    }
  }

  async #endureWatch(error: unknown): Promise<void> {
    await this.#sleep(this.#failed('watch', error, this.#watchBackoff));
  }

  /** Says what failed. @returns for how long the server or prudence asks to wait, ms */
  #failed(what: 'list' | 'watch', error: unknown, backoff: Backoff): number {
    this.#spec.events.failed(what);
    const asked = error instanceof ApiFailure ? error.retryAfterMs : undefined;
    const waitMs = Math.max(backoff.next(), asked === undefined ? 0 : jittered(asked, asked * 1.25));
    const message = messageOf(error);
    this.#log[isGone(error) ? 'info' : 'warn'](
      { wait_ms: Math.round(waitMs) },
      `${what} of ${this.#spec.path} failed, the last state stays: ${message}`,
    );
    return waitMs;
  }

  /** Waits; less if a list is asked for, or the reflector is closed. */
  async #sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#turn.signal }).catch(() => undefined);
  }
}
