/** Keeps things from being done too often: once per interval at most, or only for what is new. */

/** Lets something through once per interval at most. What comes between is left out. */
export class OncePer {
  readonly #intervalMs: number;
  #nextMs = 0;

  /** @param intervalMs from one time to the next, ms */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Whether it may happen now. If so, the interval begins. */
  isDue(): boolean {
    const now = performance.now();
    if (now < this.#nextMs) return false;
    this.#nextMs = now + this.#intervalMs;
    return true;
  }
}

/** Finds the values that differ from the one before. */
export class Changes<T> {
  #last: T;

  /** @param first what is known at the start: the same value again is no change */
  constructor(first: T) {
    this.#last = first;
  }

  /** Whether `value` differs from the one before. It is remembered. */
  isNew(value: T): boolean {
    if (value === this.#last) return false;
    this.#last = value;
    return true;
  }
}
