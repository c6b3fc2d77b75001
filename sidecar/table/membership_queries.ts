/**
 * Which addresses are members of partial groups? The injector is asked, and its answer comes as a change of the table, before the
 * word that it has answered. Fails closed: who gets no answer in time is no member. All of it is bounded.
 */
import { Recent } from '../../common/recent.ts';
import { type RateLimits, TokenBucket } from '../../common/token_bucket.ts';
import type { InjectorLink } from './injector_link.ts';

/** How long an answer is waited for: a flow that may have to end goes on for so long at most. */
const ANSWER_MS = 500;

/** Questions under way that somebody waits for: as many as flows of different peers, some 200 bytes each. */
const ASKED_MAX = 16_384;

/** A peer that keeps knocking is asked about again after this long: its labels may be others. */
const AGAIN_MS = 1_000;

/** An answer about a newcomer is still right, for its record, for this long. A member would have been let in by then. */
const ANSWERED_MS = 5_000;

/** Newcomers asked about: as many as the kernel notes, see `UNMET_SIZE` of the gate. An injector answers twice as many. */
const NEWCOMERS: RateLimits = { burst: 2_048, perSecond: 2_048 };

/**
 * Backends asked about ahead. Nobody has been seen to use them, and who is met is not forgotten: they must not become many because a
 * Service somewhere has many.
 */
const AHEAD: RateLimits = { burst: 256, perSecond: 64 };

/** Newcomers that are remembered; some 100 bytes each. */
const NEWCOMERS_MAX = 4_096;

/** Called when all is known of an address, or when nobody has answered in time. */
type Answered = (address: string) => void;

/** Asks, and remembers what is being asked. `close` ends it. */
export class MembershipQueries {
  readonly #link: Pick<InjectorLink, 'meet'>;
  readonly #unanswered: () => void;
  /** Questions under way, with those who wait for the answer. */
  readonly #asked = new Map<string, Answered[]>();
  /** Of questions that may still be answered in time. */
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosed = false;
  /** When newcomers were asked about; `performance.now`. */
  readonly #newcomers = new Recent<string, number>(NEWCOMERS_MAX);
  readonly #allowed = new TokenBucket(NEWCOMERS, performance.now());
  readonly #allowedAhead = new TokenBucket(AHEAD, performance.now());

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
   * @param answered called for each: right when its answer comes, before anything that the injector says later; or in time
   * @returns resolves when it has been called for all
   */
  ask(addresses: Iterable<string>, answered: Answered = () => undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wanted = new Set(addresses);
    let left = wanted.size;
    if (left === 0) resolve();
    const one: Answered = (address) => {
      answered(address);
      left -= 1;
      if (left === 0) resolve();
    };
    const fresh = new Map<string, Answered[]>();
    for (const address of wanted) {
      const waiting = this.#asked.get(address);
      if (waiting !== undefined) waiting.push(one);
      else if (this.#isClosed) one(address);
      else if (this.#asked.size >= ASKED_MAX) {
        this.#unanswered();
        one(address);
      } else fresh.set(address, this.#wait(address, one));
    }
    if (fresh.size === 0) return promise;
    this.#link.meet([...fresh.keys()]);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      // One that was answered may be under way again.
      for (const [address, waiting] of fresh) {
        if (this.#asked.get(address) !== waiting) continue;
        this.#unanswered();
        this.answered([address]);
      }
    }, ANSWER_MS);
    this.#timers.add(timer);
    return promise;
  }

  #wait(address: string, answered: Answered): Answered[] {
    const waiting = [answered];
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

  #notice(addresses: Iterable<string>, allowance: TokenBucket): boolean {
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
      for (const answered of waiting ?? []) answered(address);
    }
  }

  /** Nobody answers any more: who waits is no member, and nor is who is asked about from here on. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.answered([...this.#asked.keys()]);
  }
}
