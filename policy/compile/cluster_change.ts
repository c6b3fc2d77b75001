/** What changes in a cluster, object by object. */

import { CLUSTER_KINDS, type ClusterKind, KINDS, type ObjectOf } from '../kinds.ts';
import type { Cluster } from '../model.ts';

/**
 * One object that is new, has changed (`object` is how it is now) or is gone (`object` is undefined). A list of changes is
 * in order: of two for one object the later one counts. One that removes what is not there, or says what is so already, is
 * no error and changes nothing.
 */
export type ClusterChange<Kind extends ClusterKind = ClusterKind> = {
  readonly [K in Kind]: {
    readonly kind: K;
    /** As in `Cluster`: `namespace/name`, or the name of a namespace or a node. */
    readonly key: string;
    readonly object: ObjectOf<K> | undefined;
  };
}[Kind];

/** What leads from one cluster to another. Objects are compared as objects: equal ones that are not the same are a change. */
export function clusterChanges(before: Cluster, after: Cluster): ClusterChange[] {
  return CLUSTER_KINDS.flatMap((kind) => changesOfKind(kind, before, after));
}

/** What leads from nothing to a cluster, one after the other. */
export function* clusterObjects(cluster: Cluster): Generator<ClusterChange, void, void> {
  for (const kind of CLUSTER_KINDS) yield* objectsOfKind(kind, cluster);
}

function* objectsOfKind<Kind extends ClusterKind>(
  kind: Kind,
  cluster: Cluster,
): Generator<ClusterChange<Kind>, void, void> {
  for (const [key, object] of cluster[KINDS[kind].part]) yield { kind, key, object };
}

function changesOfKind<Kind extends ClusterKind>(
  kind: Kind,
  before: Cluster,
  after: Cluster,
): ClusterChange<Kind>[] {
  const { part } = KINDS[kind];
  const [old, now] = [before[part], after[part]];
  if (old === now) return [];
  const changes: ClusterChange<Kind>[] = [];
  for (const key of old.keys()) if (!now.has(key)) changes.push({ kind, key, object: undefined });
  for (const [key, object] of now) if (old.get(key) !== object) changes.push({ kind, key, object });
  return changes;
}
