/** A cluster that changes in place, object by object. */

import type { Cluster, EndpointSlice, Namespace, NetworkPolicy, Node, Pod, Service } from '../model.ts';
import type { ClusterChange } from './cluster_change.ts';

function put<T>(map: Map<string, T>, key: string, object: T | undefined): void {
  if (object === undefined) map.delete(key);
  else map.set(key, object);
}

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
    const { key } = change;
    switch (change.kind) {
      case 'Namespace':
        return put(this.namespaces, key, change.object);
      case 'Pod':
        return put(this.pods, key, change.object);
      case 'NetworkPolicy':
        return put(this.policies, key, change.object);
      case 'Node':
        return put(this.nodes, key, change.object);
      case 'Service':
        return put(this.services, key, change.object);
      case 'EndpointSlice':
        return put(this.endpointSlices, key, change.object);
      default:
        return change satisfies never;
    }
  }
}
