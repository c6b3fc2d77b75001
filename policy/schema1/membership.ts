/**
 * Each member of a group is a pod that the group's selectors match. The judge relies on this when it looks into few groups only. The
 * gate takes the lists of members as they are. In a table in which this does not hold, judge and gate would give different verdicts.
 */

import { ownEntry } from '../key.ts';
import { namespaceMatches, podMatches } from '../rules/index.ts';
import { type PodIdentity, sameData } from '../table/index.ts';
import type { AddressGroupV1, TableDeltaV1, TableV1 } from './table.ts';

/** Finding one address in a list by halving costs about as much as looking at so many members. */
const SEARCH_COST = 16;

/** A member that is out of place. */
export interface Stray {
  readonly group: string;
  readonly address: string;
}

/** Whether the pod that owns an address, if the table knows one, may be in a group. Without a pod it counts for nothing. */
function belongs(group: AddressGroupV1, pod: PodIdentity | undefined, { namespaces }: TableV1): boolean {
  if (pod === undefined) return true;
  const test = { kind: 'pods' as const, ...group };
  const known = { ...pod, namespaceLabels: ownEntry(namespaces, pod.namespace) ?? {} };
  const isAnywhere = group.namespace === undefined && group.namespaceSelector === undefined;
  return (isAnywhere || namespaceMatches(test, known)) && podMatches(test, known);
}

function strayOf(id: string, addresses: Iterable<string>, table: TableV1): Stray | undefined {
  const group = ownEntry(table.groups, id);
  if (group === undefined) return undefined;
  for (const address of addresses) {
    if (!belongs(group, ownEntry(table.pods, address), table)) return { group: id, address };
  }
  return undefined;
}

/** The first member of any group that its group's selectors do not match. */
export function strayMember(table: TableV1): Stray | undefined {
  for (const [id, { members }] of Object.entries(table.groups)) {
    const stray = strayOf(id, members, table);
    if (stray !== undefined) return stray;
  }
  return undefined;
}

/** The same for a table to which a delta has led from one without strays. Costs what the delta touches. */
export function strayMemberAfter(before: TableV1, delta: TableDeltaV1, after: TableV1): Stray | undefined {
  for (const [id, change] of Object.entries(delta.groups ?? {})) {
    if (change.kind === 'removed') continue;
    const stray = strayOf(id, change.kind === 'set' ? change.group.members : change.added, after);
    if (stray !== undefined) return stray;
  }
  const moved = movedPods(before, delta, after);
  if (moved.size === 0) return undefined;
  for (const [id, { members }] of Object.entries(after.groups)) {
    const stray = strayOf(id, among(members, moved), after);
    if (stray !== undefined) return stray;
  }
  return undefined;
}

/** Addresses whose pods selectors may see otherwise than before. */
function movedPods(
  before: TableV1,
  { pods = {}, namespaces = {} }: TableDeltaV1,
  after: TableV1,
): Set<string> {
  const moved = new Set<string>();
  for (const [address, pod] of Object.entries(pods)) {
    const known = ownEntry(before.pods, address);
    const isSame = pod?.namespace === known?.namespace && sameData(pod?.labels, known?.labels);
    if (pod !== null && !isSame) moved.add(address);
  }
  const relabelled = Object.entries(namespaces).filter(
    ([name, labels]) => !sameData(labels ?? {}, ownEntry(before.namespaces, name) ?? {}),
  );
  if (relabelled.length === 0) return moved;
  const names = new Set(relabelled.map(([name]) => name));
  for (const [address, { namespace }] of Object.entries(after.pods)) {
    if (names.has(namespace)) moved.add(address);
  }
  return moved;
}

/** Which of some addresses are in a sorted list. */
function* among(members: readonly string[], addresses: ReadonlySet<string>): Generator<string> {
  if (members.length <= addresses.size * SEARCH_COST) {
    for (const member of members) if (addresses.has(member)) yield member;
  } else {
    for (const address of addresses) if (hasSorted(members, address)) yield address;
  }
}

/** Whether a sorted list has an item. */
export function hasSorted(items: readonly string[], wanted: string): boolean {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] ?? '') < wanted) low = middle + 1;
    else high = middle;
  }
  return items[low] === wanted;
}
