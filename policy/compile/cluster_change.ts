/** What changes in a cluster, object by object. */

import type { Cluster, EndpointSlice, Namespace, NetworkPolicy, Node, Pod, Service } from '../model.ts';

/** One object that is new, has changed (`object` is how it is now) or is gone (`object` is undefined). */
interface Change<Kind extends string, T> {
  readonly kind: Kind;
  /** As in `Cluster`: `namespace/name`, or the name of a namespace or a node. */
  readonly key: string;
  readonly object: T | undefined;
}

/**
 * A change of one object. A list of them is in order: of two for one object the later one counts. One that removes what
 * is not there, or says what is so already, is no error and changes nothing.
 */
export type ClusterChange =
  | Change<'Namespace', Namespace>
  | Change<'Pod', Pod>
  | Change<'NetworkPolicy', NetworkPolicy>
  | Change<'Node', Node>
  | Change<'Service', Service>
  | Change<'EndpointSlice', EndpointSlice>;

/** A cluster without any object. */
export const EMPTY_CLUSTER: Cluster = {
  namespaces: new Map(),
  pods: new Map(),
  policies: new Map(),
  nodes: new Map(),
  services: new Map(),
  endpointSlices: new Map(),
};

function mapChanges<T, C>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  change: (key: string, object: T | undefined) => C,
): C[] {
  if (before === after) return [];
  const changes: C[] = [];
  for (const key of before.keys()) if (!after.has(key)) changes.push(change(key, undefined));
  for (const [key, object] of after) if (before.get(key) !== object) changes.push(change(key, object));
  return changes;
}

/** What leads from one cluster to another. Objects are compared as objects: equal ones that are not the same are a change. */
export function clusterChanges(before: Cluster, after: Cluster): ClusterChange[] {
  return [
    ...mapChanges(before.namespaces, after.namespaces, (key, object) => ({
      kind: 'Namespace' as const,
      key,
      object,
    })),
    ...mapChanges(before.nodes, after.nodes, (key, object) => ({ kind: 'Node' as const, key, object })),
    ...mapChanges(before.policies, after.policies, (key, object) => ({
      kind: 'NetworkPolicy' as const,
      key,
      object,
    })),
    ...mapChanges(before.pods, after.pods, (key, object) => ({ kind: 'Pod' as const, key, object })),
    ...mapChanges(before.services, after.services, (key, object) => ({
      kind: 'Service' as const,
      key,
      object,
    })),
    ...mapChanges(before.endpointSlices, after.endpointSlices, (key, object) => ({
      kind: 'EndpointSlice' as const,
      key,
      object,
    })),
  ];
}
