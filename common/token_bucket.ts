/** A rate with a burst: so much at once after a quiet time, and in the long run so much a second. */

/** Bounds on a rate. */
export interface RateLimits {
  /** At once, after a quiet time. */
  readonly burst: number;
  /** In the long run. */
  readonly perSecond: number;
}

const MS_PER_SECOND = 1_000;

/** A bucket of tokens, filled at a steady rate and full at first. Times are of one clock that does not go back, ms. */
export class TokenBucket {
  readonly #limits: RateLimits;
  /** As of `#atMs`; below zero: what is owed. */
  #tokens: number;
  #atMs: number;

  constructor(limits: RateLimits, nowMs: number) {
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#atMs = nowMs;
  }

  /** Takes tokens, one by default. @returns false where there are not as many; then nothing is taken */
  take(nowMs: number, tokens = 1): boolean {
    if (this.left(nowMs) < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** Takes tokens that may not be there: those are owed. */
  spend(tokens: number, nowMs: number): void {
    this.#tokens = this.left(nowMs) - tokens;
  }

  /** How many there are now; below zero: what is owed. */
  left(nowMs: number): number {
    const earned = ((nowMs - this.#atMs) * this.#limits.perSecond) / MS_PER_SECOND;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + earned);
    this.#atMs = nowMs;
    return this.#tokens;
  }

  /** After how long, ms, nothing is owed any more. */
  owedMs(nowMs: number): number {
    return (Math.max(0, -this.left(nowMs)) * MS_PER_SECOND) / this.#limits.perSecond;
  }

  /** Whether it is as full as a new one. */
  isFull(nowMs: number): boolean {
    return this.left(nowMs) >= this.#limits.burst;
  }
}
