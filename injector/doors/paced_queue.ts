/**
 * Work that strangers ask for, on the thread that serves all sidecars: it takes half of the time at most, a few milliseconds
 * at a stretch, and the address that has cost least is next. So who asks for much waits for himself.
 */
import type { RateLimits } from '../../common/token_bucket.ts';
import { AddressRates } from './address_rates.ts';

/** Work done at a stretch, ms, as announced. One piece may be longer. */
const STRETCH_MS = 6;

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
  readonly #accounts = new Map<string, Account>();
  /** What the address that was served last had cost before. */
  #levelMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param perAddress also bounds how often each address is served */
  constructor(perAddress?: RateLimits) {
    this.#rates = perAddress && new AddressRates(perAddress);
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
    this.#timer ??= setTimeout(() => this.#stretch(), 0);
    return () => void account.pieces.delete(piece);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#accounts.clear();
  }

  #stretch(): void {
    this.#timer = undefined;
    const pieces = this.#take(performance.now());
    const costMs = pieces.reduce((sum, piece) => sum + piece.costMs, 0);
    // Where nobody may be served now there is no need to look every millisecond.
    const pauseMs = pieces.length === 0 ? STRETCH_MS : Math.max(1, 2 * costMs);
    if (this.#accounts.size > 0) this.#timer = setTimeout(() => this.#stretch(), pauseMs);
    else this.#levelMs = 0;
    for (const { start } of pieces) start();
  }

  /** Takes out the work of one stretch. All accounts are looked at and put in order once for it: there may be hundreds. */
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
