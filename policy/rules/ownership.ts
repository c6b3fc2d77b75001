/** Which pods count, and who owns which address. */

import { compareTexts, objectKey } from '../key.ts';
import type { Cluster, Labels, Pod } from '../model.ts';

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

/** A live pod that says it has an address. */
export interface Claim {
  readonly pod: Pod;
  /**
   * Grows with each claim that was seen when it came: the pod that got the address last has the greatest. All that stand in
   * one list or in files have `UNSEEN`.
   */
  readonly order: number;
}

/** The order of claims that were there from the start: which of them came last is not known. */
export const UNSEEN = 0;

/** The order of a claim that came while its pod was already being deleted: the pod is about to lose the address. */
export const LATE = -1;

/** Milliseconds since the epoch when a pod got its addresses, or was made; a pod of unknown age counts as the oldest. */
function addressedAtMs({ addressedAt, createdAt }: Pod): number {
  const ms = Date.parse(addressedAt ?? createdAt ?? '');
  return Number.isNaN(ms) ? Number.NEGATIVE_INFINITY : ms;
}

/**
 * Sorts pods that claim one address where it is not known which came last. The best claim is last: first pods that are being
 * deleted, then by when they got their addresses, then by key.
 */
export function compareClaimants(a: Pod, b: Pod): number {
  if (a.terminating !== b.terminating) return a.terminating ? -1 : 1;
  const [aMs, bMs] = [addressedAtMs(a), addressedAtMs(b)];
  if (aMs !== bMs) return aMs < bMs ? -1 : 1;
  return compareTexts(podKey(a), podKey(b));
}

/** Whether `challenger` takes an address from `holder`: it belongs to the pod that got it last. */
export function takesOver(challenger: Claim, holder: Claim): boolean {
  if (challenger.order !== holder.order) return challenger.order > holder.order;
  return compareClaimants(challenger.pod, holder.pod) > 0;
}

/**
 * The owner of each address, by what the objects say. Only live pods with a network of their own own addresses: a
 * finished pod has given its back, and a host-network pod's address is the node's. Where two live pods claim one (the old
 * one's end has not been seen yet), see `compareClaimants`; who watches pods come and go knows better: `Directory`.
 */
export function addressOwners(cluster: Cluster): Map<string, Pod> {
  const owners = new Map<string, Pod>();
  for (const pod of cluster.pods.values()) {
    if (!isSubject(pod)) continue;
    for (const ip of pod.ips) {
      const holder = owners.get(ip);
      if (holder === undefined || compareClaimants(pod, holder) > 0) owners.set(ip, pod);
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
