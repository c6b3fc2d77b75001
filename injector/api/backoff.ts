/** Delays between attempts: they double up to a bound and are jittered, so that many do not come back at once. */

/** Bounds of the delays, ms. */
export interface BackoffBounds {
  readonly firstMs: number;
  readonly lastMs: number;
}

export class Backoff {
  readonly #bounds: BackoffBounds;
  #nextMs: number;

  constructor(bounds: BackoffBounds) {
    this.#bounds = bounds;
    this.#nextMs = bounds.firstMs;
  }

  /** The delay before the next attempt, ms: half of what is due, and up to as much again. */
  next(): number {
    const dueMs = this.#nextMs;
    this.#nextMs = Math.min(dueMs * 2, this.#bounds.lastMs);
    return jittered(dueMs / 2, dueMs);
  }

  /** An attempt went well. */
  reset(): void {
    this.#nextMs = this.#bounds.firstMs;
  }
}

/** A number between two, evenly spread. */
export function jittered(low: number, high: number): number {
  return low + Math.random() * (high - low);
}
