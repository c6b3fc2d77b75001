/** Delays between attempts: they double up to a bound, and are jittered so that many do not come back at once. */

/** Bounds of the delays, ms. */
export interface BackoffBounds {
  /** The longest first delay. */
  readonly firstMs: number;
  /** The longest delay of all. */
  readonly lastMs: number;
  /** Default true. False where nobody else tries at the same time: each delay is then all of what is due. */
  readonly jitter?: boolean;
  /** The first delay is anything up to `firstMs`: for many that lose the same at once. */
  readonly firstFromZero?: boolean;
}

/** The delays of one sequence of attempts. */
export class Backoff {
  readonly #bounds: BackoffBounds;
  #dueMs: number;

  constructor(bounds: BackoffBounds) {
    this.#bounds = bounds;
    this.#dueMs = bounds.firstMs;
  }

  /** The delay before the next attempt, ms: between half of what is due and all of it, unless the bounds say otherwise. */
  next(): number {
    const dueMs = this.#dueMs;
    this.#dueMs = Math.min(dueMs * 2, this.#bounds.lastMs);
    const { firstMs, jitter, firstFromZero } = this.#bounds;
    if (jitter === false) return dueMs;
    return jittered(firstFromZero === true && dueMs === firstMs ? 0 : dueMs / 2, dueMs);
  }

  /** An attempt went well: the next delay is the first one again. */
  reset(): void {
    this.#dueMs = this.#bounds.firstMs;
  }
}

/** A number between two, evenly spread. */
export function jittered(low: number, high: number): number {
  return low + Math.random() * (high - low);
}
