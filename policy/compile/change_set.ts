/** What has changed in a cluster since the last commit. */

import type { Labels } from '../model.ts';
import type { PodIdentity } from '../table/index.ts';

/**
 * A change set begins empty. Each change records in it how a thing was that it touches: of several records of one thing the
 * first counts, which is how the thing was at the last commit. The commit empties it. Groups and virtual ports keep such
 * records of their own; `ClusterState.commit` empties all of them together.
 */
export class ChangeSet {
  readonly #owners = new Map<string, PodIdentity | undefined>();
  readonly #labels = new Map<string, Labels>();
  readonly #reshaped = new Set<string>();

  /** Who owned an address, of those that have had another owner since; undefined: nobody. */
  get owners(): ReadonlyMap<string, PodIdentity | undefined> {
    return this.#owners;
  }

  /** The labels of a namespace, of those that have had others since. */
  get labels(): ReadonlyMap<string, Labels> {
    return this.#labels;
  }

  /** Keys of pods whose table may have another shape. A followed pod stays here beyond commits, until `shapeKnown`. */
  get reshaped(): ReadonlySet<string> {
    return this.#reshaped;
  }

  recordOwner(address: string, before: PodIdentity | undefined): void {
    if (!this.#owners.has(address)) this.#owners.set(address, before);
  }

  recordLabels(namespace: string, before: Labels): void {
    if (!this.#labels.has(namespace)) this.#labels.set(namespace, before);
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
    this.#labels.clear();
    for (const key of this.#reshaped) if (!isFollowed(key)) this.#reshaped.delete(key);
  }
}
