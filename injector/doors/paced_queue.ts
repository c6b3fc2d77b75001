/**
 * Work that strangers ask for, on the thread that serves all sidecars: a few milliseconds at a stretch, and the address that has cost
 * least is next. So who asks for much waits for himself. After a stretch the others have as long: it takes half of the time at most.
 * What has come to something, such as a login, lets as much more work be done sooner, when the others have nothing to do.
 */
import type { RateLimits } from '../../common/token_bucket.ts';
import { AddressRates } from './address_rates.ts';

/** Work done at a stretch, ms, as announced. One piece may be longer. */
const STRETCH_MS = 6;

/** Work that may be done sooner is not saved up beyond this, ms. */
const MAX_EARNED_MS = 2 * STRETCH_MS;

/** Between looks whether the others have nothing to do, ms: the shortest timer. */
const LOOK_MS = 1;

/** The thread has waited for something to do for so long since the last stretch, ms: what was ready meanwhile has been done. */
const IDLE_MS = 0.5;

/** What it goes by; tests have another one. */
export interface PacedClock {
  /** Never goes back, ms. */
  nowMs(): number;
  /** How long this thread has waited for something to do, since it began, ms. */
  idleMs(): number;
}

const CLOCK: PacedClock = {
  nowMs: () => performance.now(),
  idleMs: () => performance.eventLoopUtilization().idle,
};

interface Piece {
  readonly costMs: number;
  readonly start: () => void;
}

/** What one address has waiting. */
interface Account {
  /** What it has cost since the queue was last empty; at least what everybody who waited had cost when it came. */
  costMs: number;
  readonly pieces: Set<Piece>;
}

/** Pieces of work that wait. Their number is bounded where they are added. */
export class PacedQueue {
  readonly #rates: AddressRates | undefined;
  readonly #mayBegin: () => boolean;
  readonly #clock: PacedClock;
  readonly #accounts = new Map<string, Account>();
  /** What the address that was served last had cost before. */
  #levelMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the next stretch begins at the latest; of the clock. */
  #nextMs = 0;
  /** How long the thread had waited for something to do, since it began, when the last stretch began, ms. */
  #idleMs = 0;
  /** Work that may be done sooner, ms. */
  #earnedMs = 0;

  /**
   * @param perAddress also bounds how often each address is served
   * @param mayBegin asked before each stretch; where not, it is asked again a few milliseconds later
   */
  constructor(perAddress?: RateLimits, mayBegin: () => boolean = () => true, clock = CLOCK) {
    this.#rates = perAddress && new AddressRates(perAddress);
    this.#mayBegin = mayBegin;
    this.#clock = clock;
  }

  /**
   * Has `start` called when it is its turn.
   * @param costMs how long the work takes, about
   * @returns how to take it out again, any number of times
   */
  add(address: string, costMs: number, start: () => void): () => void {
    const piece = { costMs, start };
    const known = this.#accounts.get(address);
    const account = known ?? { costMs: this.#levelMs, pieces: new Set() };
    if (known === undefined) this.#accounts.set(address, account);
    account.pieces.add(piece);
    this.#timer ??= setTimeout(() => this.#look(), 0);
    return () => void account.pieces.delete(piece);
  }

  /** Work of so many ms has come to something. */
  earn(costMs: number): void {
    this.#earnedMs = Math.min(this.#earnedMs + costMs, MAX_EARNED_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#accounts.clear();
  }

  #look(): void {
    this.#timer = undefined;
    const [nowMs, idleMs] = [this.#clock.nowMs(), this.#clock.idleMs()];
    const isEarly = nowMs < this.#nextMs;
    if (isEarly && (this.#earnedMs <= 0 || idleMs - this.#idleMs < IDLE_MS)) {
      this.#timer = setTimeout(() => this.#look(), LOOK_MS);
      return;
    }
    const costMs = this.#stretch(nowMs, idleMs);
    if (isEarly) this.#earnedMs -= costMs;
  }

  /** @returns what the work costs, ms */
  #stretch(nowMs: number, idleMs: number): number {
    const pieces = this.#mayBegin() ? this.#take(nowMs) : [];
    const costMs = pieces.reduce((sum, piece) => sum + piece.costMs, 0);
    this.#nextMs = nowMs + 2 * costMs;
    this.#idleMs = idleMs;
    // Where nobody may be served now there is no need to look every millisecond.
    const pauseMs = pieces.length === 0 ? STRETCH_MS : LOOK_MS;
    if (this.#accounts.size > 0) this.#timer = setTimeout(() => this.#look(), pauseMs);
    else this.#levelMs = 0;
    for (const { start } of pieces) start();
    return costMs;
  }

  /** Takes out the work of one stretch. All accounts are looked at and put in order once for it: there may be thousands. */
  #take(nowMs: number): readonly Piece[] {
    const waiting: [string, Account][] = [];
    for (const [address, account] of this.#accounts) {
      if (account.pieces.size > 0) waiting.push([address, account]);
      else if (account.costMs <= this.#levelMs) this.#accounts.delete(address);
    }
    if (waiting.length === 0) this.#accounts.clear();
    waiting.sort(([, a], [, b]) => a.costMs - b.costMs);
    const taken: Piece[] = [];
    let costMs = 0;
    while (costMs < STRETCH_MS) {
      const next = waiting.shift();
      if (next === undefined) break;
      const [address, account] = next;
      if (this.#rates?.take(address, nowMs) === false) continue;
      const [piece] = account.pieces;
      if (piece === undefined) continue;
      account.pieces.delete(piece);
      this.#levelMs = Math.max(this.#levelMs, account.costMs);
      account.costMs = Math.max(account.costMs, this.#levelMs) + piece.costMs;
      taken.push(piece);
      costMs += piece.costMs;
      if (account.pieces.size > 0) insert(waiting, next);
    }
    return taken;
  }
}

/** Puts an account into a list that is in the order of costs, behind all that have cost no more. */
function insert(waiting: [string, Account][], one: [string, Account]): void {
  const place = waiting.findIndex(([, other]) => other.costMs > one[1].costMs);
  waiting.splice(place === -1 ? waiting.length : place, 0, one);
}
