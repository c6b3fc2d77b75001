/**
 * Every flow that is being judged, dialled or relayed. A flow enters before its verdict is taken, so a change of the
 * policy table never slips between; a change ends all flows that it no longer allows, and no other.
 */
import type { Judge, Verdict } from '../policy/index.ts';

/** What the live table needs to know of a flow, and may do to it. */
export interface LiveFlow {
  /** Takes the verdict under `judge`; `undefined` while it still holds, else why it does not. */
  revoked(judge: Judge): Revocation | undefined;
  /** Resets the source's end; `cut` follows. */
  resetSource(): void;
  /** Ends the flow with a reset at both ends. Its record is written when that is done. */
  cut(revocation: Revocation): void;
  /** Ends the flow because the sidecar stops. */
  drain(): void;
  /** A plain view for /connections. */
  view(): unknown;
}

/**
 * Why a live flow may not go on: policy no longer allows it, its peer's address has a new owner, or it goes to a Service by
 * a backend that the node picked before the pod was isolated.
 */
export interface Revocation {
  readonly cause: 'policy-changed' | 'peer-replaced' | 'service-unresolved';
  readonly verdict: Verdict;
}

/** The live table of one sidecar. */
export class LiveTable {
  readonly #flows = new Set<LiveFlow>();

  /** Flows that are being judged, dialled or relayed. */
  get size(): number {
    return this.#flows.size;
  }

  register(flow: LiveFlow): void {
    this.#flows.add(flow);
  }

  forget(flow: LiveFlow): void {
    this.#flows.delete(flow);
  }

  [Symbol.iterator](): Iterator<LiveFlow> {
    return this.#flows.values();
  }

  /**
   * Ends what `judge` no longer allows; sources are reset first, as they are who is no longer allowed. A flow leaves
   * the live table when its descriptors are closed.
   * @returns how many flows were ended
   */
  reevaluate(judge: Judge): number {
    const ended: { flow: LiveFlow; revocation: Revocation }[] = [];
    for (const flow of this.#flows) {
      const revocation = flow.revoked(judge);
      if (revocation !== undefined) ended.push({ flow, revocation });
    }
    for (const { flow } of ended) flow.resetSource();
    for (const { flow, revocation } of ended) flow.cut(revocation);
    return ended.length;
  }
}
