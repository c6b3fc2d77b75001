/** How often each address may do something: a bucket for each, filled at a steady rate. */
import { Recent } from '../../common/recent.ts';

/** Bounds on a rate. */
export interface RateLimits {
  /** At once, after a quiet time. */
  readonly burst: number;
  /** In the long run. */
  readonly perSecond: number;
}

/** Addresses remembered; some 100 bytes each. With more, the one that was quiet longest is forgotten. */
const MAX_ADDRESSES = 10_000;

const MS_PER_SECOND = 1_000;

interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

/** Counts by address, or by any other name. Times are of one clock that does not go back. */
export class AddressRates {
  readonly #limits: RateLimits;
  /** In the order in which they were last used. One that would be full again is not kept. */
  readonly #buckets = new Recent<string, Bucket>(MAX_ADDRESSES);

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** Whether the address may do it now, which counts. */
  take(address: string, nowMs: number): boolean {
    const { burst, perSecond } = this.#limits;
    const { left, atMs } = this.#buckets.get(address) ?? { left: burst, atMs: nowMs };
    const now = Math.min(burst, left + ((nowMs - atMs) * perSecond) / MS_PER_SECOND);
    if (now < 1) return false;
    this.#buckets.keep(address, { left: now - 1, atMs: nowMs });
    const fullMs = nowMs - (burst / perSecond) * MS_PER_SECOND;
    this.#buckets.dropWhile((bucket) => bucket.atMs <= fullMs);
    return true;
  }
}
