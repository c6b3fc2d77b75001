/**
 * Keeps a copy of one resource: a list, then a watch from its revision, for ever. Fail static: while the server is away
 * what was heard last stays. Nothing is lost or passed on twice: a watch that ends goes on from the last event that was taken
 * in; a revision that the server has forgotten means a new list, of which only the differences are passed on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Backoff, type BackoffBounds, jittered } from '../../common/backoff.ts';
import { messageOf } from '../../common/errno.ts';
import type { ApiClient } from './api_client.ts';
import { AnswerMalformed, ApiFailure, isGone } from './api_failure.ts';
import { KnownObjects, type ObjectChange } from './known_objects.ts';
import { listAll } from './list.ts';
import type { RawObject } from './raw_object.ts';
import { type WatchEvent, type WatchListener, watch } from './watch.ts';

/** Times of a reflector; tests shorten them. */
export interface ReflectorTimes {
  /** The server ends a watch after a time between these, seconds: as long as client-go's, short of what proxies allow. */
  readonly watchSeconds: readonly [number, number];
  /** A whole list after a time between these, ms: mends what a watch may have missed. */
  readonly relistMs: readonly [number, number];
  /** The same after a list that failed while the watch could go on, ms. */
  readonly relistAgainMs: readonly [number, number];
  /** Silence after which a watch is taken for dead, ms: bookmarks come about once a minute. */
  readonly idleTimeoutMs: number;
  readonly backoff: BackoffBounds;
  /** Before the next watch after one that the server ended, in good order, at once, ms. */
  readonly pauseMs: readonly [number, number];
}

const DEFAULT_TIMES: ReflectorTimes = {
  watchSeconds: [240, 300],
  relistMs: [540_000, 660_000],
  relistAgainMs: [20_000, 40_000],
  idleTimeoutMs: 150_000,
  backoff: { firstMs: 100, lastMs: 10_000 },
  pauseMs: [250, 500],
};

/** A watch that held this long was a good one, ms: the next failure is not the last one's successor. */
const GOOD_WATCH_MS = 5_000;

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
  /** Is passed changes in order, the first time all objects; those of a list have no order. Must not throw. */
  sink(changes: readonly ObjectChange<T>[], from: 'list' | 'watch'): void;
  readonly events: ReflectorEvents;
  readonly log: Logger;
  readonly times?: Partial<ReflectorTimes>;
}

export class Reflector<T> implements WatchListener {
  readonly #spec: ReflectorSpec<T>;
  readonly #times: ReflectorTimes;
  readonly #known: KnownObjects<T>;
  readonly #backoff: Backoff;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #synced = false;
  #heardMs = performance.now();
  /** Of the last list or event; undefined while only a list helps. */
  #version: string | undefined;
  /** Aborted when the present watch, or the wait for the next attempt, is to give way to a list. */
  #turn = new AbortController();
  #listWaiters: (() => void)[] = [];

  /** Begins at once. */
  constructor(spec: ReflectorSpec<T>) {
    this.#spec = spec;
    this.#times = { ...DEFAULT_TIMES, ...spec.times };
    this.#known = new KnownObjects(spec);
    this.#backoff = new Backoff(this.#times.backoff);
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

  /** Lists again; resolves once a list that was begun after this call has been taken in, or the reflector is closed. */
  relist(): Promise<void> {
    const listed = new Promise<void>((resolve) => this.#listWaiters.push(resolve));
    this.#turn.abort();
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
      let dueMs = jittered(...this.#times.relistMs);
      try {
        await this.#list();
      } catch (error) {
        await this.#endure('list', error);
        if (this.#version === undefined) continue;
        // The watch can go on all the same.
        dueMs = jittered(...this.#times.relistAgainMs);
      }
      await this.#follow(dueMs);
    }
  }

  async #list(): Promise<void> {
    // A request for a list that comes from here on needs another list.
    const waiters = this.#listWaiters.splice(0);
    const { client, path } = this.#spec;
    const intake = this.#known.beginList();
    try {
      const { resourceVersion } = await listAll(
        client,
        path,
        this.#closing.signal,
        (object) => intake.add(object),
        () => intake.restart(),
      );
      this.#version = resourceVersion;
    } catch (error) {
      this.#listWaiters.push(...waiters);
      throw error;
    }
    const changes = intake.finish();
    this.#heard();
    if (!this.#synced) this.#log.info({ objects: this.size }, 'synced with the API server');
    this.#synced = true;
    if (changes.length > 0) this.#spec.sink(changes, 'list');
    this.#spec.events.listed();
    for (const waiter of waiters) waiter();
  }

  /** Watches until a list is due. */
  async #follow(dueMs: number): Promise<void> {
    const turn = this.#turn;
    const timer = setTimeout(() => turn.abort(), dueMs);
    try {
      while (this.#version !== undefined && !turn.signal.aborted)
        await this.#watchOnce(this.#version, turn.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #watchOnce(version: string, signal: AbortSignal): Promise<void> {
    const beganMs = performance.now();
    const heldLong = (): boolean => performance.now() - beganMs >= GOOD_WATCH_MS;
    try {
      await this.#watch(version, signal);
      // The server ended it in good order, but one that does so at once must not be asked without end.
      if (!heldLong()) await this.#sleep(jittered(...this.#times.pauseMs));
    } catch (error) {
      if (signal.aborted) return;
      if (heldLong()) this.#backoff.reset();
      if (isGone(error) || error instanceof AnswerMalformed) this.#version = undefined;
      await this.#endure('watch', error);
    }
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, path } = this.#spec;
    const { watchSeconds, idleTimeoutMs } = this.#times;
    const options = {
      path,
      resourceVersion,
      timeoutSeconds: Math.round(jittered(...watchSeconds)),
      idleTimeoutMs,
      signal,
    };
    await watch(client, options, this);
  }

  /** See `WatchListener`. */
  opened(): void {
    this.#heard();
  }

  /** See `WatchListener`. */
  takeIn(events: readonly WatchEvent[]): void {
    this.#heard();
    const changes: ObjectChange<T>[] = [];
    for (const event of events) {
      this.#spec.events.event(event.type);
      if (event.type === 'put') changes.push(...this.#known.put(event.object));
      else if (event.type === 'remove') changes.push(...this.#known.remove(event.object));
      this.#version = event.resourceVersion;
    }
    this.#backoff.reset();
    if (changes.length > 0) this.#spec.sink(changes, 'watch');
  }

  #heard(): void {
    this.#heardMs = performance.now();
  }

  /** Says what failed, and waits as long as the server or prudence asks. */
  async #endure(what: 'list' | 'watch', error: unknown): Promise<void> {
    if (this.#closed) return;
    this.#spec.events.failed(what);
    const asked = error instanceof ApiFailure ? error.retryAfterMs : undefined;
    const waitMs = Math.max(this.#backoff.next(), asked === undefined ? 0 : jittered(asked, asked * 1.25));
    const message = messageOf(error);
    this.#log[isGone(error) ? 'info' : 'warn'](
      { wait_ms: Math.round(waitMs) },
      `${what} of ${this.#spec.path} failed, the last state stays: ${message}`,
    );
    await this.#sleep(waitMs);
  }

  /** Waits; less if a list is asked for, or the reflector is closed. */
  async #sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#turn.signal }).catch(() => undefined);
  }
}
