/** Which pods count, and who owns which address. */

import { compareTexts, objectKey } from './key.ts';
import type { Cluster, Labels, Pod } from './model.ts';

/** The label every namespace has: its own name. Source: KEP-2161. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

/** A pod whose containers may run. `status.phase` Succeeded and Failed keep `podIP`, yet its address may be in use again. */
export function isLive(pod: Pod): boolean {
  return pod.phase !== 'Succeeded' && pod.phase !== 'Failed';
}

/** A pod that policy can isolate and that has a table: live, and with a network of its own (`spec.hostNetwork`). */
export function isSubject(pod: Pod): boolean {
  return isLive(pod) && !pod.hostNetwork;
}

/** The pod's key in a cluster. */
export function podKey(pod: Pod): string {
  return objectKey(pod.namespace, pod.name);
}

/** Milliseconds since the epoch; a pod of unknown age counts as the oldest. */
function createdAtMs(pod: Pod): number {
  const ms = pod.createdAt === undefined ? Number.NaN : Date.parse(pod.createdAt);
  return Number.isNaN(ms) ? Number.NEGATIVE_INFINITY : ms;
}

/** Whether `challenger` takes an address from `holder`: the newer pod does; of equally old ones the greater key. */
export function takesOver(challenger: Pod, holder: Pod): boolean {
  const [challengerMs, holderMs] = [createdAtMs(challenger), createdAtMs(holder)];
  if (challengerMs !== holderMs) return challengerMs > holderMs;
  return compareTexts(podKey(challenger), podKey(holder)) > 0;
}

/**
 * The owner of each address. Only live pods with a network of their own own addresses: a finished pod has given its
 * back, and a host-network pod's address is the node's. Where two live pods claim one (the old one's end has
 * not been seen yet), the one created last owns it; equally old, the one with the greater `namespace/name`.
 */
export function addressOwners(cluster: Cluster): Map<string, Pod> {
  const owners = new Map<string, Pod>();
  for (const pod of cluster.pods.values()) {
    if (!isSubject(pod)) continue;
    for (const ip of pod.ips) {
      const holder = owners.get(ip);
      if (holder === undefined || takesOver(pod, holder)) owners.set(ip, pod);
    }
  }
  return owners;
}

/** The labels of a namespace. One that no Namespace object describes has its metadata.name label only. */
export function namespaceLabels(cluster: Cluster, namespace: string): Labels {
  return cluster.namespaces.get(namespace)?.labels ?? { [NAMESPACE_NAME_LABEL]: namespace };
}

/** All known addresses of a pod's node: what the pod's status says and what the Node object says. No duplicates. */
export function nodeAddresses(cluster: Cluster, pod: Pod): string[] {
  const node = pod.nodeName === undefined ? undefined : cluster.nodes.get(pod.nodeName);
  return [...new Set([...pod.hostIPs, ...(node?.addresses ?? [])])];
}
