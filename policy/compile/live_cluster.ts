/** A cluster that changes in place, object by object. */

import { type ClusterKind, KINDS } from '../kinds.ts';
import type {
  Cluster,
  ClusterObjects,
  EndpointSlice,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
} from '../model.ts';
import type { ClusterChange } from './cluster_change.ts';

type ChangeableParts = { readonly [Part in keyof ClusterObjects]: Map<string, ClusterObjects[Part]> };

/** A cluster with `apply`. Its maps are views: they show each change once it is applied. */
export class LiveCluster implements Cluster {
  readonly namespaces = new Map<string, Namespace>();
  readonly pods = new Map<string, Pod>();
  readonly policies = new Map<string, NetworkPolicy>();
  readonly nodes = new Map<string, Node>();
  readonly services = new Map<string, Service>();
  readonly endpointSlices = new Map<string, EndpointSlice>();

  /** Makes one change. Costs the same however large the cluster is. */
  apply(change: ClusterChange): void {
    put(this, change);
  }
}

function put<Kind extends ClusterKind>(
  parts: ChangeableParts,
  { kind, key, object }: ClusterChange<Kind>,
): void {
  const { part } = KINDS[kind];
  if (object === undefined) parts[part].delete(key);
  else parts[part].set(key, object);
}

/** A cluster without any object. */
export const EMPTY_CLUSTER: Cluster = new LiveCluster();
