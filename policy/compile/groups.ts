/** Address groups: each distinct selector of a cluster's policies, resolved once and kept current address by address. */

import { objectKey } from '../key.ts';
import type { Labels } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import { matchesSelector, NAMESPACE_NAME_LABEL } from '../rules/index.ts';
import type { PodIdentity } from '../table/index.ts';
import type { Directory, OwnerChange } from './directory.ts';
import { DemandIndex } from './group_demand.ts';
import { type Candidate, EVERY_POD, type GroupTest, groupId, LiveGroup } from './live_group.ts';
import { SetIndex } from './set_index.ts';

/**
 * All groups in use, and which of them have changed since the last commit. When an address gets another owner, only the groups
 * that it was in, or may be in, are looked at.
 */
export class Groups {
  readonly #directory: Directory;
  readonly #namespaceLabels: (namespace: string) => Labels;
  readonly #mostMembers: number;
  readonly #groups = new Map<string, LiveGroup>();
  readonly #users = new Map<LiveGroup, number>();
  readonly #byDemand = new DemandIndex<LiveGroup>();
  readonly #touched = new Set<LiveGroup>();
  /** Without the label that holds their name. */
  readonly #namespacesByLabel = new SetIndex<string>();

  /**
   * @param namespaceLabels gives the present labels of any namespace
   * @param mostMembers groups with more are large; default: none is
   */
  constructor(
    directory: Directory,
    namespaceLabels: (namespace: string) => Labels,
    mostMembers: number = Number.POSITIVE_INFINITY,
  ) {
    this.#directory = directory;
    this.#namespaceLabels = namespaceLabels;
    this.#mostMembers = mostMembers;
  }

  /**
   * What it costs to keep the group of a selector current: the number of pod addresses that the selector is tried on, which is
   * at least the number of members. Small numbers count as `LEAST_REACH`, because each new pod is tried on it too.
   */
  reach(test: PodsPeer): number {
    return Math.max(sizeOf(this.#candidates(test)), LEAST_REACH);
  }

  get(id: string): LiveGroup | undefined {
    return this.#groups.get(id);
  }

  /** Groups that have changed since the last commit. */
  get touched(): ReadonlySet<LiveGroup> {
    return this.#touched;
  }

  /**
   * Keeps the group of a selector current until `release` has been called as often as this. Its members are found when it is asked
   * for: where they are many, call `resolve` before.
   * @param id `groupId` of the selector, where that is known
   */
  retain(test: GroupTest, id: string = groupId(test)): void {
    const group = this.#groups.get(id) ?? this.#begin(test, id);
    this.#users.set(group, (this.#users.get(group) ?? 0) + 1);
  }

  /** Undoes one `retain`. A group that is not needed any more is removed by the next commit. */
  release(test: GroupTest, id: string = groupId(test)): void {
    const group = this.#groups.get(id);
    if (group === undefined) return;
    this.#users.set(group, (this.#users.get(group) ?? 0) - 1);
    this.#touched.add(group);
  }

  /**
   * Finds the members of groups in use, by id, until all are found or `goOn` says no.
   * @returns whether all are found
   */
  resolve(ids: Iterable<string>, goOn: () => boolean): boolean {
    for (const id of ids) if (this.#groups.get(id)?.resolve(goOn) === false) return false;
    return true;
  }

  #begin(test: GroupTest, id: string): LiveGroup {
    const candidates = this.#candidates(test);
    const group = new LiveGroup(test, this.#tried(test, candidates), {
      id,
      count: sizeOf(candidates),
      mostMembers: id === EVERY_POD_ID ? Number.POSITIVE_INFINITY : this.#mostMembers,
    });
    this.#groups.set(id, group);
    this.#byDemand.add(test, group);
    return group;
  }

  /** Tries a selector on addresses. The cluster may change meanwhile: `ownerChanged` and `namespaceChanged` say so to the group. */
  *#tried(test: PodsPeer, candidates: readonly Addresses[]): Generator<Candidate> {
    const { owners } = this.#directory;
    for (const addresses of candidates) {
      if (addresses === owners) {
        // All there are: they need not be looked up.
        for (const [address, owner] of owners)
          yield [address, this.#matches(test, owner) ? owner : undefined];
        continue;
      }
      for (const address of addresses.keys()) {
        const owner = owners.get(address);
        yield [address, owner !== undefined && this.#matches(test, owner) ? owner : undefined];
      }
    }
  }

  /** Disjoint sets of addresses that together hold every member: the smallest choice that the indexes offer. */
  #candidates({ namespace, namespaceSelector, podSelector }: PodsPeer): Addresses[] {
    const own = namespace === undefined ? undefined : this.#directory.inNamespace(namespace);
    // As in most namespaces. Fewer would count as so many, too.
    if (own !== undefined && own.size <= LEAST_REACH) return [own];
    const choices = Object.entries(podSelector?.matchLabels ?? {}).map(([key, value]): Addresses[] => [
      this.#directory.withLabel(key, value),
    ]);
    if (own !== undefined) choices.push([own]);
    for (const [key, value] of Object.entries(namespaceSelector?.matchLabels ?? {})) {
      const names = key === NAMESPACE_NAME_LABEL ? new Set([value]) : this.#namespacesWith(key, value);
      if (names.size <= MOST_NAMESPACES)
        choices.push([...names].map((name) => this.#directory.inNamespace(name)));
    }
    const [first = [this.#directory.owners], ...others] = choices;
    return others.reduce((best, sets) => (sizeOf(sets) < sizeOf(best) ? sets : best), first);
  }

  #namespacesWith(key: string, value: string): ReadonlySet<string> {
    return this.#namespacesByLabel.get(objectKey(key, value));
  }

  #matches(test: PodsPeer, { namespace, labels }: PodIdentity): boolean {
    const { namespaceSelector, podSelector } = test;
    if (podSelector !== undefined && !matchesSelector(podSelector, labels)) return false;
    if (namespaceSelector === undefined) return namespace === test.namespace;
    return matchesSelector(namespaceSelector, this.#namespaceLabels(namespace));
  }

  /** An address has another owner, or its owner other labels. */
  ownerChanged({ address, before, after }: OwnerChange): void {
    if (this.#groups.size === 0) return; // as at the start, for each pod there is
    const groups = new Set<LiveGroup>();
    for (const pod of [before, after]) {
      if (pod === undefined) continue;
      for (const group of this.#byDemand.find(pod, this.#namespaceLabels(pod.namespace))) groups.add(group);
    }
    for (const group of groups) {
      const is = after !== undefined && this.#matches(group.test, after);
      if (!is && !group.mayHave(address)) continue;
      group.set(address, is ? after : undefined);
      this.#touched.add(group);
    }
  }

  /** A namespace has other labels; `namespaceLabels` gives them already. */
  namespaceChanged(name: string, before: Labels, after: Labels): void {
    for (const [key, value] of Object.entries(before))
      this.#namespacesByLabel.delete(objectKey(key, value), name);
    for (const [key, value] of Object.entries(after))
      this.#namespacesByLabel.add(objectKey(key, value), name);
    const groups = [before, after].flatMap((labels) => this.#byDemand.findInNamespace(name, labels));
    for (const group of new Set(groups)) {
      const { namespaceSelector } = group.test;
      if (namespaceSelector === undefined) continue;
      const matches = matchesSelector(namespaceSelector, after);
      if (matches === matchesSelector(namespaceSelector, before)) continue;
      for (const address of this.#directory.inNamespace(name)) {
        const owner = this.#directory.owner(address);
        if (owner === undefined) continue;
        const is = this.#matches(group.test, owner);
        if (is || group.mayHave(address)) group.set(address, is ? owner : undefined);
      }
      this.#touched.add(group);
    }
  }

  /** Ends the change set. Groups that no policy needs any more are removed; tables that still have them have them whole. */
  commit(): void {
    for (const group of this.#touched) {
      group.commit();
      if ((this.#users.get(group) ?? 0) > 0) continue;
      this.#users.delete(group);
      this.#groups.delete(group.id);
      this.#byDemand.delete(group.test, group);
    }
    this.#touched.clear();
  }
}

const EVERY_POD_ID = groupId(EVERY_POD);

/** A selector counts as at least this many pods: trying a new pod on 1,000 selectors takes 1 ms. */
export const LEAST_REACH = 100;

const NO_LABELS: readonly string[] = [];

/** Labels of namespaces, `key/value`, that `reach` depends on: which namespaces have them. A namespace never changes its name. */
export function namespaceLabelsOf({ namespaceSelector }: PodsPeer): readonly string[] {
  if (namespaceSelector === undefined) return NO_LABELS;
  return Object.entries(namespaceSelector.matchLabels).flatMap(([key, value]) =>
    key === NAMESPACE_NAME_LABEL ? [] : [objectKey(key, value)],
  );
}

/** Where more namespaces than this have a label, their pods are not looked up namespace by namespace. */
export const MOST_NAMESPACES = 100;

/** A map by address, or a set of addresses. */
type Addresses = Pick<ReadonlyMap<string, unknown>, 'size' | 'keys'>;

function sizeOf(sets: readonly Addresses[]): number {
  return sets.reduce((sum, { size }) => sum + size, 0);
}
