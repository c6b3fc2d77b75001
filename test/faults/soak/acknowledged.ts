/** Until when all that was written is in force everywhere, by what the injector says of its sidecars. */
import type { SidecarStatus } from '../../../injector/tables/index.ts';

/** What has to be acknowledged. */
interface Awaited {
  /** All that was written until then is in these revisions. */
  readonly writtenMs: number;
  /** By pod. */
  readonly revisions: ReadonlyMap<string, number>;
}

/** Follows the injector's reports. Revisions grow: a later one has all that an earlier one has. */
export class Acknowledged {
  readonly #pods: readonly string[];
  #awaited: readonly Awaited[] = [];

  /** @param pods keys of the pods whose sidecars have to acknowledge */
  constructor(pods: readonly string[]) {
    this.#pods = pods;
  }

  /** Since when there is something that some sidecar has not acknowledged. */
  get oldestMs(): number | undefined {
    return this.#awaited[0]?.writtenMs;
  }

  /**
   * Takes in a report.
   * @param askedMs when it was asked for: it takes account of all that was written before
   * @returns until when all that was written is in force; undefined: nothing new is
   */
  take(sidecars: ReadonlyMap<string, SidecarStatus>, askedMs: number): number | undefined {
    const revisions = new Map(this.#pods.map((pod) => [pod, sidecars.get(pod)?.revision ?? Number.NaN]));
    this.#awaited = [...this.#awaited, { writtenMs: askedMs, revisions }];
    const last = this.#awaited.findLastIndex((awaited) =>
      this.#pods.every(
        (pod) => (sidecars.get(pod)?.enforced ?? 0) >= (awaited.revisions.get(pod) ?? Number.NaN),
      ),
    );
    const inForceMs = this.#awaited[last]?.writtenMs;
    this.#awaited = this.#awaited.slice(last + 1);
    return inForceMs;
  }
}
