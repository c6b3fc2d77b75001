/** Who had an address a short while ago: records of the last flows of a pod that is gone still name it. */
import { Recent } from '../../common/recent.ts';
import type { IdentifiedPeer } from '../../policy/index.ts';

/** Longer than any record waits after its flow: denials are reported within half a minute. */
const KEPT_MS = 5 * 60_000;

/** Some 500 bytes each. With more the oldest are forgotten early. */
const MAX_KEPT = 10_000;

/** Former owners of addresses, for a while. */
export class PastOwners {
  /** In the order in which they lost their address. */
  readonly #kept = new Recent<string, { readonly pod: IdentifiedPeer; readonly sinceMs: number }>(MAX_KEPT);

  /** Takes in who has just lost an address. `nowMs` is any clock that does not go back. */
  remember(owners: ReadonlyMap<string, IdentifiedPeer>, nowMs: number): void {
    for (const [address, pod] of owners) this.#kept.keep(address, { pod, sinceMs: nowMs });
    this.#kept.dropWhile(({ sinceMs }) => nowMs - sinceMs >= KEPT_MS);
  }

  /** The last one that had an address and lost it within the last minutes. */
  find(address: string, nowMs: number): IdentifiedPeer | undefined {
    const kept = this.#kept.get(address);
    return kept !== undefined && nowMs - kept.sinceMs < KEPT_MS ? kept.pod : undefined;
  }
}
