/** Address groups: each distinct selector of a cluster's policies, resolved once and kept current address by address. */

import { compareTexts, objectKey } from '../key.ts';
import type { Labels } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import { formatSelector, matchesSelector, NAMESPACE_NAME_LABEL } from '../rules/index.ts';
import type { AddressGroup, GroupDelta, PodIdentity } from '../table/index.ts';
import { groupDemand, groupOffers } from '../table/index.ts';
import type { Directory, OwnerChange } from './directory.ts';
import { SetIndex } from './set_index.ts';

/** The group id of a canonical selector: readable, and equal for equal selectors only. */
export function groupId(test: PodsPeer): string {
  const pods = `pods(${test.podSelector === undefined ? '*' : formatSelector(test.podSelector)})`;
  if (test.namespaceSelector === undefined) return `${pods} in namespace ${test.namespace ?? ''}`;
  return `${pods} in namespaces(${formatSelector(test.namespaceSelector)})`;
}

/** A group that is kept current. "Before" is how it was when `Groups.settle` was last called. */
export class LiveGroup {
  readonly id: string;
  readonly test: PodsPeer;
  readonly #members = new Set<string>();
  /** Members by namespace. */
  readonly #namespaces = new Map<string, number>();
  /** Addresses that have been touched since: were they members? */
  readonly #before = new Map<string, boolean>();
  readonly #namespacesBefore = new Map<string, boolean>();
  #frozen: AddressGroup | undefined;
  #delta: GroupDelta | undefined;

  constructor(test: PodsPeer) {
    this.id = groupId(test);
    this.test = test;
  }

  get members(): ReadonlySet<string> {
    return this.#members;
  }

  /** Namespaces that members are in, and how many in each. */
  get namespaces(): ReadonlyMap<string, number> {
    return this.#namespaces;
  }

  /** Addresses that came, went or changed since before. */
  get touched(): Iterable<string> {
    return this.#before.keys();
  }

  /** Namespaces whose members came or went. */
  get touchedNamespaces(): Iterable<string> {
    return this.#namespacesBefore.keys();
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name);
  }

  had(address: string): boolean {
    return this.#before.get(address) ?? this.#members.has(address);
  }

  hadNamespace(name: string): boolean {
    return this.#namespacesBefore.get(name) ?? this.#namespaces.has(name);
  }

  /** Has a member that it had from the beginning. */
  begin(address: string, namespace: string): void {
    this.#members.add(address);
    this.#namespaces.set(namespace, (this.#namespaces.get(namespace) ?? 0) + 1);
  }

  /** Makes an address a member or none. `before` and `after` are its owner's namespaces, where it is a member. */
  move(address: string, before: string | undefined, after: string | undefined): void {
    if (!this.#before.has(address)) this.#before.set(address, before !== undefined);
    if (before !== undefined) this.#count(before, -1);
    if (after !== undefined) this.#count(after, 1);
    if (after === undefined ? this.#members.delete(address) : !this.#members.has(address)) {
      if (after !== undefined) this.#members.add(address);
      this.#frozen = undefined;
    }
    this.#delta = undefined;
  }

  #count(namespace: string, change: 1 | -1): void {
    const held = this.#namespaces.get(namespace) ?? 0;
    if (!this.#namespacesBefore.has(namespace)) this.#namespacesBefore.set(namespace, held > 0);
    if (held + change === 0) this.#namespaces.delete(namespace);
    else this.#namespaces.set(namespace, held + change);
  }

  /** The group as tables carry it; the same object until a member comes or goes. */
  get group(): AddressGroup {
    const { kind: _, ...selectors } = this.test;
    this.#frozen ??= { ...selectors, members: [...this.#members].sort() }; // as compareTexts, and quicker
    return this.#frozen;
  }

  /** What leads from before to now, the same object for all that ask; undefined when the members are the same. */
  delta(): GroupDelta | undefined {
    this.#delta ??= this.#makeDelta();
    return this.#delta;
  }

  #makeDelta(): GroupDelta | undefined {
    const touched = [...this.#before].sort(([a], [b]) => compareTexts(a, b));
    const added = touched.flatMap(([address, was]) => (!was && this.#members.has(address) ? [address] : []));
    const removed = touched.flatMap(([address, was]) =>
      was && !this.#members.has(address) ? [address] : [],
    );
    if (added.length + removed.length === 0) return undefined;
    // A difference as long as the list is no gain.
    if (added.length + removed.length >= this.#members.size) return { kind: 'set', group: this.group };
    return { kind: 'members', added, removed };
  }

  /** What is now is "before" from here on. */
  settle(): void {
    this.#before.clear();
    this.#namespacesBefore.clear();
    this.#delta = undefined;
  }
}

/** All groups in use. A change of an address costs what the groups are that it may be in, not what the others are. */
export class Groups {
  readonly #directory: Directory;
  readonly #namespaceLabels: (namespace: string) => Labels;
  readonly #groups = new Map<string, LiveGroup>();
  readonly #users = new Map<LiveGroup, number>();
  readonly #byDemand = new SetIndex<LiveGroup>();
  readonly #touched = new Set<LiveGroup>();
  /** But for the label that is their name. */
  readonly #namespacesByLabel = new SetIndex<string>();
  /** Groups that no policy needs any more, while tables still have them. */
  readonly #orphans = new Set<LiveGroup>();

  /** `namespaceLabels`: of any namespace, as they are now. */
  constructor(directory: Directory, namespaceLabels: (namespace: string) => Labels) {
    this.#directory = directory;
    this.#namespaceLabels = namespaceLabels;
  }

  /**
   * What keeping the group of a selector current costs: how many addresses of pods it has to be tried on, which is never
   * fewer than its members. One of few or none counts as 100, for each pod that comes is tried on it too.
   */
  reach(test: PodsPeer): number {
    return Math.max(sizeOf(this.#candidates(test)), LEAST_REACH);
  }

  get(id: string): LiveGroup | undefined {
    return this.#groups.get(id);
  }

  /** Groups that changed since `settle`. */
  get touched(): ReadonlySet<LiveGroup> {
    return this.#touched;
  }

  /** Keeps the group of a selector current from now on, as often as it is called, until `release`. */
  retain(test: PodsPeer): void {
    const id = groupId(test);
    const group = this.#groups.get(id) ?? this.#resolve(test);
    this.#users.set(group, (this.#users.get(group) ?? 0) + 1);
  }

  /** Undoes one `retain`. A group that nobody needs goes with the next `settle`. */
  release(test: PodsPeer): void {
    const group = this.#groups.get(groupId(test));
    if (group === undefined) return;
    this.#users.set(group, (this.#users.get(group) ?? 0) - 1);
    this.#touched.add(group);
  }

  #resolve(test: PodsPeer): LiveGroup {
    const group = new LiveGroup(test);
    this.#groups.set(group.id, group);
    this.#byDemand.add(demandOf(group), group);
    for (const addresses of this.#candidates(test)) {
      for (const address of addresses.keys()) {
        const owner = this.#directory.owner(address);
        if (owner !== undefined && this.#matches(group, owner)) group.begin(address, owner.namespace);
      }
    }
    return group;
  }

  /** Sets of addresses, each address in one of them, among which every member is: the smallest at hand. */
  #candidates({ namespace, namespaceSelector, podSelector }: PodsPeer): Addresses[] {
    const choices = Object.entries(podSelector?.matchLabels ?? {}).map(([key, value]): Addresses[] => [
      this.#directory.withLabel(key, value),
    ]);
    if (namespace !== undefined) choices.push([this.#directory.inNamespace(namespace)]);
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

  #matches({ test }: LiveGroup, { namespace, labels }: PodIdentity): boolean {
    const { namespaceSelector, podSelector } = test;
    if (podSelector !== undefined && !matchesSelector(podSelector, labels)) return false;
    if (namespaceSelector === undefined) return namespace === test.namespace;
    return matchesSelector(namespaceSelector, this.#namespaceLabels(namespace));
  }

  /** An address has another owner, or its owner other labels. */
  ownerChanged({ address, before, after }: OwnerChange): void {
    const groups = new Set<LiveGroup>(this.#byDemand.get(NO_DEMAND));
    for (const pod of [before, after]) {
      if (pod === undefined) continue;
      for (const offer of groupOffers(pod, this.#namespaceLabels(pod.namespace))) {
        for (const group of this.#byDemand.get(offer)) groups.add(group);
      }
    }
    for (const group of groups) {
      const was = group.members.has(address) ? before?.namespace : undefined;
      const is = after !== undefined && this.#matches(group, after) ? after.namespace : undefined;
      if (was === undefined && is === undefined) continue;
      group.move(address, was, is);
      this.#touched.add(group);
    }
  }

  /** A namespace has other labels; `namespaceLabels` gives them already. */
  namespaceChanged(name: string, before: Labels, after: Labels): void {
    for (const [key, value] of Object.entries(before))
      this.#namespacesByLabel.delete(objectKey(key, value), name);
    for (const [key, value] of Object.entries(after))
      this.#namespacesByLabel.add(objectKey(key, value), name);
    for (const group of this.#groups.values()) {
      const { namespaceSelector } = group.test;
      if (namespaceSelector === undefined) continue;
      const matches = matchesSelector(namespaceSelector, after);
      if (matches === matchesSelector(namespaceSelector, before)) continue;
      for (const address of this.#directory.inNamespace(name)) {
        const owner = this.#directory.owner(address);
        if (owner === undefined) continue;
        const was = group.members.has(address);
        const is = this.#matches(group, owner);
        if (was !== is) group.move(address, was ? name : undefined, is ? name : undefined);
      }
      this.#touched.add(group);
    }
  }

  /**
   * What is now is "before" from here on, and groups that nobody needs are gone.
   * @param inTables whether tables still have a group that no policy needs
   */
  settle(inTables: (id: string) => boolean = () => false): void {
    for (const group of this.#touched) {
      group.settle();
      if ((this.#users.get(group) ?? 0) === 0) this.#orphans.add(group);
    }
    this.#touched.clear();
    for (const group of this.#orphans) {
      const isNeeded = (this.#users.get(group) ?? 0) > 0;
      if (!isNeeded && inTables(group.id)) continue;
      this.#orphans.delete(group);
      if (isNeeded) continue;
      this.#users.delete(group);
      this.#groups.delete(group.id);
      this.#byDemand.delete(demandOf(group), group);
    }
  }
}

/** A selector counts as this many pods at least: 1,000 of them then are asked in 1 ms about a pod that comes. */
export const LEAST_REACH = 100;

/** More namespaces with a label are not looked through to find the pods in them. */
const MOST_NAMESPACES = 100;

/** By address, or addresses alone. */
type Addresses = Pick<ReadonlyMap<string, unknown>, 'size' | 'keys'>;

function sizeOf(sets: readonly Addresses[]): number {
  return sets.reduce((sum, { size }) => sum + size, 0);
}

/** Where groups are filed that demand nothing in particular. */
const NO_DEMAND = '';

function demandOf({ test }: LiveGroup): string {
  return groupDemand(test) ?? NO_DEMAND;
}
