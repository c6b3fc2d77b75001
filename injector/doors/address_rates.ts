/** How often each address may do something: a bucket of tokens for each. */
import { Recent } from '../../common/recent.ts';
import { type RateLimits, TokenBucket } from '../../common/token_bucket.ts';

/** Addresses remembered; some 100 bytes each. With more, the one that was quiet longest is forgotten. */
const MAX_ADDRESSES = 10_000;

/** Counts by address, or by any other name. Times are of one clock that does not go back. */
export class AddressRates {
  readonly #limits: RateLimits;
  /** In the order in which they were last used. One that is full again is not kept. */
  readonly #buckets = new Recent<string, TokenBucket>(MAX_ADDRESSES);

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** Whether the address may do it now, which counts. @param tokens that it costs; one by default */
  take(address: string, nowMs: number, tokens = 1): boolean {
    const bucket = this.#buckets.get(address) ?? new TokenBucket(this.#limits, nowMs);
    if (!bucket.take(nowMs, tokens)) return false;
    this.#buckets.keep(address, bucket);
    this.#buckets.dropWhile((one) => one.isFull(nowMs));
    return true;
  }
}
