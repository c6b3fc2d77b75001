/** One address group: the members that a selector has now, and those it had at the last commit. */

import { compareTexts } from '../key.ts';
import type { PodsPeer } from '../rules/index.ts';
import { formatSelector } from '../rules/index.ts';
import type { AddressGroup, GroupDelta } from '../table/index.ts';

/** The group id of a canonical selector: readable, and equal for equal selectors only. */
export function groupId(test: PodsPeer): string {
  const pods = `pods(${test.podSelector === undefined ? '*' : formatSelector(test.podSelector)})`;
  if (test.namespaceSelector === undefined) return `${pods} in namespace ${test.namespace ?? ''}`;
  return `${pods} in namespaces(${formatSelector(test.namespaceSelector)})`;
}

/**
 * A group that is kept current. It also knows how it was at the last commit, which its names call "before": the first change
 * of an address records whether it was a member.
 */
export class LiveGroup {
  readonly id: string;
  readonly test: PodsPeer;
  readonly #members = new Set<string>();
  /** Members by namespace. */
  readonly #namespaces = new Map<string, number>();
  /** Addresses that were touched since the last commit, and whether they were members. */
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

  /** Adds a member that counts as having been there before. */
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
    // A difference that is as long as the list saves nothing.
    if (added.length + removed.length >= this.#members.size) return { kind: 'set', group: this.group };
    return { kind: 'members', added, removed };
  }

  /** The present members become "before". */
  commit(): void {
    this.#before.clear();
    this.#namespacesBefore.clear();
    this.#delta = undefined;
  }
}
