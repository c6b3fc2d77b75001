/** Which policies isolate a pod, and their rules with everything filled in. */

import { compareTexts } from '../key.ts';
import type { Cluster, ContainerPort, Direction, NetworkPolicy, Pod } from '../model.ts';
import type { PolicyRef } from '../verdict.ts';
import { type ResolvedPeer, resolvePeer } from './peer.ts';
import type { TablePort } from './ports.ts';
import { resolvePort } from './ports.ts';
import { matchesSelector } from './selector.ts';

/** One rule of one policy, ready to be matched. An empty list means "no restriction". */
export interface ResolvedRule {
  readonly policy: PolicyRef;
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  readonly index: number;
  readonly ports: readonly TablePort[];
  readonly peers: readonly ResolvedPeer[];
}

/** The cluster's policies by namespace, each list by name: the order of rules, and so of explanations, is fixed. */
export function policiesByNamespace(cluster: Cluster): ReadonlyMap<string, readonly NetworkPolicy[]> {
  const lists = new Map<string, NetworkPolicy[]>();
  for (const policy of cluster.policies.values()) {
    const list = lists.get(policy.namespace);
    if (list === undefined) lists.set(policy.namespace, [policy]);
    else list.push(policy);
  }
  for (const list of lists.values()) list.sort((a, b) => compareTexts(a.name, b.name));
  return lists;
}

/** The policies, out of those of its namespace, that isolate a pod in one direction. */
export function isolatingPolicies(
  policies: readonly NetworkPolicy[],
  pod: Pick<Pod, 'namespace' | 'labels'>,
  direction: Direction,
): NetworkPolicy[] {
  return policies.filter(
    (policy) =>
      // policyTypes: a policy speaks for the listed directions only; rules of another direction do nothing.
      policy.policyTypes.includes(direction) &&
      // podSelector: the pods of the policy's own namespace that it selects; an empty one selects them all.
      policy.namespace === pod.namespace &&
      matchesSelector(policy.podSelector, pod.labels),
  );
}

/** Names a policy. */
export function policyRef(policy: NetworkPolicy): PolicyRef {
  return { namespace: policy.namespace, name: policy.name };
}

/** The rules of one policy in one direction, as they apply to a subject with these ports. */
export function resolveRules(
  policy: NetworkPolicy,
  direction: Direction,
  subjectPorts: readonly ContainerPort[],
): ResolvedRule[] {
  const ref = policyRef(policy);
  return policy[direction].map((rule, place) => ({
    policy: ref,
    index: rule.index ?? place,
    ports: rule.ports.flatMap((item) => resolvePort(item, direction, subjectPorts)),
    peers: rule.peers.map((peer) => resolvePeer(peer, policy.namespace)),
  }));
}
