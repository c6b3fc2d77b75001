/** Address groups: each distinct selector of a cluster's policies, resolved once. */

import type { Directory } from './directory.ts';
import { compareTexts, objectKey, ownEntry } from './key.ts';
import type { PodsPeer } from './peer.ts';
import { formatSelector, matchesSelector } from './selector.ts';
import type { AddressGroup, PodIdentity } from './table.ts';

/** The group id of a canonical selector: readable, and equal for equal selectors only. */
export function groupId(test: PodsPeer): string {
  const pods = `pods(${test.podSelector === undefined ? '*' : formatSelector(test.podSelector)})`;
  if (test.namespaceSelector === undefined) return `${pods} in namespace ${test.namespace ?? ''}`;
  return `${pods} in namespaces(${formatSelector(test.namespaceSelector)})`;
}

/** Resolves selectors to groups. The same selector gives the same object. */
export interface GroupResolver {
  resolve(test: PodsPeer): AddressGroup;
}

/** An address and the pod that owns it. */
type Owned = readonly [address: string, pod: PodIdentity];

/** The directory by namespace and by one label, so that resolving need not look at every pod. In order of address. */
interface OwnedIndex {
  readonly all: readonly Owned[];
  readonly byNamespace: ReadonlyMap<string, readonly Owned[]>;
  readonly byLabel: ReadonlyMap<string, readonly Owned[]>;
}

function append(index: Map<string, Owned[]>, key: string, owned: Owned): void {
  const list = index.get(key);
  if (list === undefined) index.set(key, [owned]);
  else list.push(owned);
}

function indexDirectory({ pods }: Directory): OwnedIndex {
  const all = Object.entries(pods).sort(([a], [b]) => compareTexts(a, b));
  const byNamespace = new Map<string, Owned[]>();
  const byLabel = new Map<string, Owned[]>();
  for (const owned of all) {
    const [, { namespace, labels }] = owned;
    append(byNamespace, namespace, owned);
    for (const [key, value] of Object.entries(labels)) append(byLabel, objectKey(key, value), owned);
  }
  return { all, byNamespace, byLabel };
}

/** A list that holds at least every pod the selector matches: the shortest one at hand. */
function candidates(test: PodsPeer, index: OwnedIndex): readonly Owned[] {
  let best = test.namespace === undefined ? index.all : (index.byNamespace.get(test.namespace) ?? []);
  for (const [key, value] of Object.entries(test.podSelector?.matchLabels ?? {})) {
    const list = index.byLabel.get(objectKey(key, value)) ?? [];
    if (list.length < best.length) best = list;
  }
  return best;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function namespaceFilter(test: PodsPeer, { namespaces }: Directory): (name: string) => boolean {
  const { namespaceSelector } = test;
  if (namespaceSelector === undefined) return (name) => name === test.namespace;
  const known = new Map<string, boolean>();
  return (name) => {
    const matches = known.get(name) ?? matchesSelector(namespaceSelector, ownEntry(namespaces, name) ?? {});
    known.set(name, matches);
    return matches;
  };
}

/**
 * Makes a resolver for a directory. `previousGroup` gives the group that an earlier cluster had under an id: it is
 * used again where its members are the same.
 */
export function createGroupResolver(
  directory: Directory,
  previousGroup: (id: string) => AddressGroup | undefined,
): GroupResolver {
  const index = indexDirectory(directory);
  const groups = new Map<string, AddressGroup>();

  function membersOf(test: PodsPeer): string[] {
    const namespaceMatches = namespaceFilter(test, directory);
    const members: string[] = [];
    for (const [address, { namespace, labels }] of candidates(test, index)) {
      if (!namespaceMatches(namespace)) continue;
      if (test.podSelector !== undefined && !matchesSelector(test.podSelector, labels)) continue;
      members.push(address);
    }
    return members;
  }

  return {
    resolve(test) {
      const id = groupId(test);
      const known = groups.get(id);
      if (known !== undefined) return known;
      const members = membersOf(test);
      const previous = previousGroup(id);
      const { kind: _, ...selectors } = test;
      const group =
        previous !== undefined && sameList(previous.members, members) ? previous : { ...selectors, members };
      groups.set(id, group);
      return group;
    },
  };
}
