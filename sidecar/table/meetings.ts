/**
 * Which addresses are members of partial groups? The injector is asked, and its answer comes as a change of the table, before the
 * word that it has answered. Fails closed: who gets no answer in time is no member. All of it is bounded.
 */
import { Recent } from '../../common/recent.ts';
import type { InjectorLink } from './injector_link.ts';

/** How long an answer is waited for: a flow that may have to end goes on for so long at most. */
const ANSWER_MS = 500;

/** Questions under way that somebody waits for: as many as flows of different peers, some 200 bytes each. */
const ASKED_MAX = 16_384;

/** A peer that keeps knocking is asked about again after this long: its labels may be others. */
const AGAIN_MS = 1_000;

/** An answer about a newcomer is still right, for its record, for this long. A member would have been let in by then. */
const ANSWERED_MS = 5_000;

/** Newcomers asked about in a second: as many as the kernel notes, see `UNMET_SIZE` of the gate. An injector answers twice as many. */
const NEWCOMERS_PER_SECOND = 2_048;

/**
 * Backends asked about ahead, at once and in a second. Nobody has been seen to use them, and who is met is not forgotten: they must
 * not become many because a Service somewhere has many.
 */
const AHEAD_AT_ONCE = 256;
const AHEAD_PER_SECOND = 64;

/** Newcomers that are remembered; some 100 bytes each. */
const NEWCOMERS_MAX = 4_096;

const MS_PER_SECOND = 1000;

/** Hears that all is known of an address, or that nobody has answered in time. */
type Settled = (address: string) => void;

/** How many may be asked about now: some at once, and then so many in a second. */
class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #atMs = performance.now();

  constructor(most: number, perSecond: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  /** @returns whether one more is allowed; then it is taken */
  take(nowMs: number): boolean {
    const earned = ((nowMs - this.#atMs) * this.#perSecond) / MS_PER_SECOND;
    this.#left = Math.min(this.#most, this.#left + earned);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

/** Asks, and remembers what is being asked. */
export class Meetings {
  readonly #link: Pick<InjectorLink, 'meet'>;
  readonly #unanswered: () => void;
  /** Questions under way, with those who wait for the answer. */
  readonly #asked = new Map<string, Settled[]>();
  /** When newcomers were asked about; `performance.now`. */
  readonly #newcomers = new Recent<string, number>(NEWCOMERS_MAX);
  readonly #allowed = new Allowance(NEWCOMERS_PER_SECOND, NEWCOMERS_PER_SECOND);
  readonly #allowedAhead = new Allowance(AHEAD_AT_ONCE, AHEAD_PER_SECOND);

  /**
   * @param link sends the questions
   * @param unanswered called for each address that somebody waits for and nobody answers about in time
   */
  constructor(link: Pick<InjectorLink, 'meet'>, unanswered: () => void = () => undefined) {
    this.#link = link;
    this.#unanswered = unanswered;
  }

  /**
   * Asks about addresses.
   * @param settled called for each: right when its answer comes, before anything that the injector says later; or in time
   * @returns resolves when it has been called for all
   */
  ask(addresses: Iterable<string>, settled: Settled = () => undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wanted = new Set(addresses);
    let left = wanted.size;
    if (left === 0) resolve();
    const one: Settled = (address) => {
      settled(address);
      left -= 1;
      if (left === 0) resolve();
    };
    const fresh = new Map<string, Settled[]>();
    for (const address of wanted) {
      const waiting = this.#asked.get(address);
      if (waiting !== undefined) waiting.push(one);
      else if (this.#asked.size >= ASKED_MAX) {
        this.#unanswered();
        one(address);
      } else fresh.set(address, this.#wait(address, one));
    }
    if (fresh.size === 0) return promise;
    this.#link.meet([...fresh.keys()]);
    setTimeout(() => {
      // One that was answered may be under way again.
      for (const [address, waiting] of fresh) {
        if (this.#asked.get(address) !== waiting) continue;
        this.#unanswered();
        this.answered([address]);
      }
    }, ANSWER_MS);
    return promise;
  }

  #wait(address: string, settled: Settled): Settled[] {
    const waiting = [settled];
    this.#asked.set(address, waiting);
    return waiting;
  }

  /** Asks about peers that the gate keeps out, those first that come first. Nobody waits: the gate lets in who is a member. */
  notice(addresses: Iterable<string>): void {
    this.#notice(addresses, this.#allowed);
  }

  /**
   * As `notice`, for those who have not been kept out yet.
   * @returns false where not all could be asked about now
   */
  ahead(addresses: Iterable<string>): boolean {
    return this.#notice(addresses, this.#allowedAhead);
  }

  #notice(addresses: Iterable<string>, allowance: Allowance): boolean {
    const now = performance.now();
    const fresh: string[] = [];
    let isAll = true;
    for (const address of addresses) {
      const askedAtMs = this.#newcomers.get(address) ?? Number.NEGATIVE_INFINITY;
      if (now - askedAtMs < AGAIN_MS || this.#asked.has(address)) continue;
      isAll = allowance.take(now);
      if (!isAll) break;
      this.#newcomers.keep(address, now);
      fresh.push(address);
    }
    this.#link.meet(fresh);
    return isAll;
  }

  /** Whether an answer about a newcomer has come, or will not come any more. For records: flows are asked about anyway. */
  hasAnswer(address: string): boolean {
    const agoMs = performance.now() - (this.#newcomers.get(address) ?? Number.NEGATIVE_INFINITY);
    return agoMs >= ANSWER_MS && agoMs < ANSWERED_MS;
  }

  /** There is another connection: what was asked on the one before is asked on this one. */
  again(): void {
    this.#link.meet([...this.#asked.keys()]);
  }

  /** All is known of these, or as much as ever will be. */
  answered(addresses: Iterable<string>): void {
    for (const address of addresses) {
      const waiting = this.#asked.get(address);
      this.#asked.delete(address);
      for (const settled of waiting ?? []) settled(address);
    }
  }
}
