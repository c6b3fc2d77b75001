/** Who had an address a short while ago: records of the last flows of a pod that is gone still name it. */
import type { PeerIdentity } from '../../policy/index.ts';

/** A record that waits this long after its flow is not written: denials are reported within half a minute. */
const KEPT_MS = 5 * 60_000;

/** Some 500 bytes each. With more the oldest are forgotten early. */
const MAX_KEPT = 10_000;

/** Former owners of addresses, for a while. */
export class PastOwners {
  /** In the order in which they lost their address. */
  readonly #kept = new Map<string, { readonly pod: PeerIdentity; readonly sinceMs: number }>();

  /** Takes in who has just lost an address. `nowMs` is any clock that does not go back. */
  remember(owners: ReadonlyMap<string, PeerIdentity>, nowMs: number): void {
    for (const [address, pod] of owners) {
      this.#kept.delete(address);
      this.#kept.set(address, { pod, sinceMs: nowMs });
    }
    for (const [address, { sinceMs }] of this.#kept) {
      if (this.#kept.size <= MAX_KEPT && nowMs - sinceMs < KEPT_MS) break;
      this.#kept.delete(address);
    }
  }

  /** The last one that had an address and lost it within the last minutes. */
  find(address: string, nowMs: number): PeerIdentity | undefined {
    const kept = this.#kept.get(address);
    return kept !== undefined && nowMs - kept.sinceMs < KEPT_MS ? kept.pod : undefined;
  }
}
