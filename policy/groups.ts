/** Address groups: each distinct selector of a cluster's policies, resolved once. */

import type { Directory } from './directory.ts';
import { compareTexts, objectKey } from './key.ts';
import type { Cluster, Labels, Pod } from './model.ts';
import { namespaceLabels, podKey } from './ownership.ts';
import type { PodsPeer } from './peer.ts';
import { formatSelector, matchesSelector } from './selector.ts';
import type { AddressGroup } from './table.ts';

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

/** Pods that own an address, found by namespace or by one label, so that resolving need not look at every pod. */
interface PodIndex {
  readonly all: readonly Pod[];
  readonly byNamespace: ReadonlyMap<string, readonly Pod[]>;
  readonly byLabel: ReadonlyMap<string, readonly Pod[]>;
}

function append(index: Map<string, Pod[]>, key: string, pod: Pod): void {
  const list = index.get(key);
  if (list === undefined) index.set(key, [pod]);
  else list.push(pod);
}

function indexPods(pods: Iterable<Pod>): PodIndex {
  const all = [...pods];
  const byNamespace = new Map<string, Pod[]>();
  const byLabel = new Map<string, Pod[]>();
  for (const pod of all) {
    append(byNamespace, pod.namespace, pod);
    for (const [key, value] of Object.entries(pod.labels)) append(byLabel, objectKey(key, value), pod);
  }
  return { all, byNamespace, byLabel };
}

/** A list that holds at least every pod the selector matches: the shortest one at hand. */
function candidates(test: PodsPeer, index: PodIndex): readonly Pod[] {
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

/**
 * Makes a resolver for a cluster. `previousGroup` gives the group that an earlier cluster had under an id: it is
 * used again where its members are the same.
 */
export function createGroupResolver(
  cluster: Cluster,
  directory: Directory,
  previousGroup: (id: string) => AddressGroup | undefined,
): GroupResolver {
  const index = indexPods(directory.owners.values());
  const labelsOf = new Map<string, Labels>();
  const groups = new Map<string, AddressGroup>();

  function labelsOfNamespace(name: string): Labels {
    const known = labelsOf.get(name) ?? namespaceLabels(cluster, name);
    labelsOf.set(name, known);
    return known;
  }

  function namespaceFilter(test: PodsPeer): (name: string) => boolean {
    const { namespaceSelector } = test;
    if (namespaceSelector === undefined) return (name) => name === test.namespace;
    const known = new Map<string, boolean>();
    return (name) => {
      const matches = known.get(name) ?? matchesSelector(namespaceSelector, labelsOfNamespace(name));
      known.set(name, matches);
      return matches;
    };
  }

  function membersOf(test: PodsPeer): string[] {
    const namespaceMatches = namespaceFilter(test);
    const members: string[] = [];
    for (const pod of candidates(test, index)) {
      if (!namespaceMatches(pod.namespace)) continue;
      if (test.podSelector !== undefined && !matchesSelector(test.podSelector, pod.labels)) continue;
      members.push(...(directory.addresses.get(podKey(pod)) ?? []));
    }
    return members.sort(compareTexts);
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
