/** What has changed in a cluster since the last commit. */

import type { PodIdentity } from '../table/index.ts';

/**
 * A change set begins empty, and the commit empties it again. Each change of the cluster records how the things that it touches
 * were before. When one thing is recorded several times, the first record counts: it says how the thing was at the last commit.
 * Groups keep such records of their own; `ClusterState.commit` empties all of them together.
 */
export class ChangeSet {
  readonly #owners = new Map<string, PodIdentity | undefined>();
  readonly #reshaped = new Set<string>();

  /** The former owner of each address whose owner has changed since the last commit; undefined: it had none. */
  get owners(): ReadonlyMap<string, PodIdentity | undefined> {
    return this.#owners;
  }

  /** Keys of pods whose table may have another shape. A followed pod stays here beyond commits, until `shapeKnown`. */
  get reshaped(): ReadonlySet<string> {
    return this.#reshaped;
  }

  recordOwner(address: string, before: PodIdentity | undefined): void {
    if (!this.#owners.has(address)) this.#owners.set(address, before);
  }

  /** The table of a pod may have another shape, by its policies or by the pod itself. */
  recordShape(podKey: string): void {
    this.#reshaped.add(podKey);
  }

  /** The shape of a pod's table has been looked at. */
  shapeKnown(podKey: string): void {
    this.#reshaped.delete(podKey);
  }

  /** @param isFollowed whether somebody will still look at the shape of a pod's table */
  commit(isFollowed: (podKey: string) => boolean): void {
    this.#owners.clear();
    for (const key of this.#reshaped) if (!isFollowed(key)) this.#reshaped.delete(key);
  }
}
