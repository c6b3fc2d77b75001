/**
 * Every flow that is being judged, dialled or relayed. A flow enters before its verdict is taken, so a change of the
 * policy table never slips between; a change ends all flows that it no longer allows, and no other.
 */
import type { ConnectionPath } from '../../common/path.ts';
import type { Judge, Verdict } from '../../policy/index.ts';
import { type FlowJudge, RememberingJudge } from './flow_judge.ts';

/** What the live table needs to know of a flow, and may do to it. */
export interface LiveFlow {
  /** Who carries it: the relay, or the app's own socket. */
  readonly path: ConnectionPath;
  /** Canonical address of the source; never changes. */
  readonly sourceAddress: string;
  /** Takes the verdict under `judge`; `undefined` while it still holds, else why it does not. */
  revoked(judge: FlowJudge): Revocation | undefined;
  /** Resets the source's end; `cut` follows. */
  resetSource(): void;
  /**
   * Ends the flow with a reset at both ends. Its record is written when that is done.
   * @param before of the table before, where it is known
   */
  cut(revocation: Revocation, before?: Judge): void;
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
  /** The peer may be a member of a partial group that allows the flow: the injector is asked before the flow ends. */
  readonly isUnsure?: boolean;
}

/** The live table of one sidecar. */
export class LiveTable {
  /** By address of the source, so that a change that touches few addresses costs the flows of others nothing. */
  readonly #bySource = new Map<string, Set<LiveFlow>>();
  readonly #sizes: Record<ConnectionPath, number> = { proxy: 0, direct: 0 };

  /** Flows that are being judged, dialled or relayed, or that their apps have. */
  get size(): number {
    return this.#sizes.proxy + this.#sizes.direct;
  }

  sizeOf(path: ConnectionPath): number {
    return this.#sizes[path];
  }

  register(flow: LiveFlow): void {
    const flows = this.#bySource.get(flow.sourceAddress);
    if (flows === undefined) this.#bySource.set(flow.sourceAddress, new Set([flow]));
    else flows.add(flow);
    this.#sizes[flow.path] += 1;
  }

  forget(flow: LiveFlow): void {
    const flows = this.#bySource.get(flow.sourceAddress);
    if (flows === undefined || !flows.delete(flow)) return;
    this.#sizes[flow.path] -= 1;
    if (flows.size === 0) this.#bySource.delete(flow.sourceAddress);
  }

  /** Canonical addresses of sources that have flows. */
  get sources(): Iterable<string> {
    return this.#bySource.keys();
  }

  *[Symbol.iterator](): Generator<LiveFlow> {
    for (const flows of this.#bySource.values()) yield* flows;
  }

  /**
   * Ends what `judge` no longer allows; sources are reset first, because it is they who are no longer allowed. A flow leaves
   * the live table when its descriptors are closed.
   * @param sources only flows of these addresses can be concerned; absent: all flows
   * @param unsure gets the sources of flows that go on until the injector was asked; absent: these flows end as well
   * @param before of the table before, for the records of flows that end
   * @returns how many flows were ended
   */
  reevaluate(judge: FlowJudge, sources?: ReadonlySet<string>, unsure?: Set<string>, before?: Judge): number {
    const ended: { flow: LiveFlow; revocation: Revocation }[] = [];
    const remembering = new RememberingJudge(judge);
    for (const flow of sources === undefined ? this : this.#of(sources)) {
      const revocation = flow.revoked(remembering);
      if (revocation === undefined) continue;
      if (revocation.isUnsure === true && unsure !== undefined) unsure.add(flow.sourceAddress);
      else ended.push({ flow, revocation });
    }
    for (const { flow } of ended) flow.resetSource();
    for (const { flow, revocation } of ended) flow.cut(revocation, before);
    return ended.length;
  }

  *#of(sources: ReadonlySet<string>): Generator<LiveFlow> {
    for (const source of sources) yield* this.#bySource.get(source) ?? [];
  }
}
