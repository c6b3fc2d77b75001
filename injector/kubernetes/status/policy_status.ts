/** How far each policy is in force: pure, from the cluster, what sidecars enforce, and what cannot be enforced. */
import { isolatingPolicies, objectKey } from '../../../policy/index.ts';
import type { Cluster, NetworkPolicy, Pod } from '../../../policy/model.ts';
import type { ManifestProblem } from '../../manifest_problem.ts';
import { whyNoSubject } from '../../subject.ts';
import type { SidecarStatus } from '../../table_server.ts';

/** What the annotation says. */
export interface PolicyStatus {
  /**
   * `enforced`: by every pod that the policy selects; none is enough. `pending`: not by all of them yet. `partial`: by all,
   * but a part of it is not supported.
   */
  readonly state: 'enforced' | 'pending' | 'partial';
  /** `metadata.generation` of the policy that this is about. */
  readonly generation: number;
  /** Running pods that the policy selects and policy can select at all. */
  readonly selected: number;
  /** Those whose sidecar has put the policy in force. */
  readonly enforcing: number;
  /** What of the policy admits nothing because it cannot be enforced; absent where there is nothing. */
  readonly unsupported?: readonly string[];
}

/** Annotations are bounded: what is more is left out. */
const MAX_MESSAGES = 3;

/** The pods that each policy selects, by policy key. */
export function selectedPods(cluster: Cluster): ReadonlyMap<string, readonly string[]> {
  const subjects = new Map<string, Pod[]>();
  for (const pod of cluster.pods.values()) {
    if (whyNoSubject(pod) !== undefined) continue;
    const others = subjects.get(pod.namespace);
    if (others === undefined) subjects.set(pod.namespace, [pod]);
    else others.push(pod);
  }
  const selected = new Map<string, readonly string[]>();
  for (const [key, policy] of cluster.policies)
    selected.set(
      key,
      (subjects.get(policy.namespace) ?? [])
        .filter((pod) => selects(policy, pod))
        .map(({ namespace, name }) => objectKey(namespace, name)),
    );
  return selected;
}

/** How many of the selected pods enforce each policy through this injector, by policy key; zeros are left out. */
export function enforcingCounts(
  selected: ReadonlyMap<string, readonly string[]>,
  sidecars: readonly SidecarStatus[],
): Readonly<Record<string, number>> {
  const enforcing = new Set(
    sidecars
      .filter((sidecar) => sidecar.connected && sidecar.enforced === sidecar.revision)
      .map(({ namespace, pod }) => objectKey(namespace, pod)),
  );
  const counts: [string, number][] = [];
  for (const [key, pods] of selected) {
    const count = pods.filter((pod) => enforcing.has(pod)).length;
    if (count > 0) counts.push([key, count]);
  }
  return Object.fromEntries(counts);
}

/** The status of one policy. */
export function policyStatus(
  generation: number,
  selected: number,
  enforcing: number,
  problems: readonly ManifestProblem[],
): PolicyStatus {
  const unsupported = problems
    .filter(({ severity }) => severity === 'error')
    .map(({ path, message }) => (path === undefined ? message : `${path}: ${message}`));
  // A pod that moves from one replica to another may be counted by both for a moment.
  const counted = Math.min(enforcing, selected);
  const state = counted < selected ? 'pending' : unsupported.length > 0 ? 'partial' : 'enforced';
  return {
    state,
    generation,
    selected,
    enforcing: counted,
    ...(unsupported.length === 0 ? {} : { unsupported: unsupported.slice(0, MAX_MESSAGES) }),
  };
}

function selects(policy: NetworkPolicy, pod: Pod): boolean {
  return policy.policyTypes.some((direction) => isolatingPolicies([policy], pod, direction).length > 0);
}
