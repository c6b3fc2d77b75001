/** Who has an address, and how many strangers a pod's sidecar may ask about. */
import type { RateLimits } from '../../common/token_bucket.ts';
import { asFarAsAsked, type Compiler, type IdentifiedPeer } from '../../policy/index.ts';
import { AddressRates } from '../doors/index.ts';
import { PastOwners } from './past_owners.ts';
import type { Identified } from './session/index.ts';

/**
 * Addresses that a pod's sidecar may ask about for the first time: as many as a busy pod meets at once, and then as many as come
 * and go. Through all addresses of a large cluster that takes hours.
 */
const STRANGERS: RateLimits = { burst: 256, perSecond: 2 };

/** Answers for all sidecars. */
export class Identities {
  readonly #compiler: () => Compiler;
  readonly #strangers: AddressRates;
  readonly #pastOwners = new PastOwners();

  /**
   * @param compiler of the cluster as it is now
   * @param strangers by pod; default 256, then 2 a second
   */
  constructor(compiler: () => Compiler, strangers: RateLimits = STRANGERS) {
    this.#compiler = compiler;
    this.#strangers = new AddressRates(strangers);
  }

  /** Takes in who has just lost an address: flows of a pod that is gone still name it. */
  remember(formerOwners: ReadonlyMap<string, IdentifiedPeer>): void {
    this.#pastOwners.remember(formerOwners, performance.now());
  }

  /** Who has an address, as far as the pod's policies ask. Nodes and host-network pods are no pod, as for policies. */
  of(podKey: string, address: string): Identified | undefined {
    const compiler = this.#compiler();
    const found = compiler.identify(address) ?? this.#pastOwners.find(address, performance.now());
    if (found === undefined) return undefined;
    const pod = asFarAsAsked(found.pod, compiler.askedOfPeers(podKey));
    return compiler.knows(podKey, address) ? { pod, tag: found.tag } : { pod };
  }

  /**
   * Whether the pod's sidecar may ask about one more address. Who is in a group of the pod's own table is no stranger. Others are
   * counted by pod, and not by session: a connection is soon made again.
   */
  mayMeet(podKey: string, address: string): boolean {
    return this.#compiler().knows(podKey, address) || this.#strangers.take(podKey, performance.now());
  }
}
