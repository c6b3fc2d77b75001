/** Random policies of `random_cluster.ts` of which each part decides something: most by themselves are open or shut as a whole. */

import fc from 'fast-check';
import { obviousVerdict } from '../unit/policy/obvious.ts';
import type { ApiCluster, ApiPolicy } from './api_objects.ts';
import { apiPolicies, EXTERNAL_IPS, PORTS } from './random_cluster.ts';

type Policies = readonly ApiPolicy[];

/** Which share of connections policies let through, so that neither answer is nearly always right. */
const OPEN = { min: 0.15, max: 0.85 } as const;

/** Which share of them differs from one set to the next at least. */
const MIN_CHANGED = 0.05;

/** Sets of which single policies are taken until each part decides something: nearly always enough. */
const MORE_SETS = 40;

/** Parts of policies, and what the JSON has in their place where they are as if they were not written. */
const PARTS: readonly ((key: string, value: unknown) => unknown)[] = [
  (key, value) => (key === 'except' ? [] : value),
  (key, value) => (key === 'cidr' ? (String(value).includes(':') ? '::/0' : '0.0.0.0/0') : value),
  (key, value) => (key === 'port' && typeof value === 'string' ? 'nobody-has-it' : value),
  (key, value) => (key === 'endPort' ? undefined : value),
  (key, value) => (key === 'ingress' ? [{}] : value),
  (key, value) => (key === 'egress' ? [{}] : value),
  (key, value) => (key === 'namespaceSelector' && value ? {} : value),
  (key, value) => (key === 'podSelector' && value ? {} : value),
  (key, value) => (key === 'matchExpressions' ? [] : value),
];

/** Sets for a cluster without policies: each changes something, and every part decides in one of them. */
export function tellingPolicies(cluster: ApiCluster, count: number): fc.Arbitrary<readonly Policies[]> {
  const verdictsOf = createVerdicts(cluster);
  const set = fc.tuple(apiPolicies, fc.array(apiPolicies, { minLength: MORE_SETS, maxLength: MORE_SETS }));
  return fc
    .array(set, { minLength: count, maxLength: count })
    .map((sets) => {
      const chosen: Policies[] = [];
      let parts = PARTS;
      for (const [policies, more] of sets) {
        const next = completed(policies, more.flat(), parts, verdictsOf);
        parts = parts.filter((part) => !decides(part, next, verdictsOf));
        chosen.push(next);
      }
      return { chosen, isComplete: parts.length === 0 };
    })
    .filter(({ chosen, isComplete }) => isComplete && areTelling(chosen, verdictsOf))
    .map(({ chosen }) => chosen);
}

type VerdictsOf = (policies: Policies) => readonly boolean[];

type Part = (typeof PARTS)[number];

/** Takes in one policy for each part that decides nothing yet. */
function completed(
  policies: Policies,
  more: Policies,
  parts: readonly Part[],
  verdictsOf: VerdictsOf,
): Policies {
  let chosen = policies;
  for (const part of parts) {
    if (decides(part, chosen, verdictsOf)) continue;
    for (const policy of more) {
      if (JSON.stringify(policy) === JSON.stringify(policy, part)) continue;
      const next = [...chosen.filter(({ metadata }) => !isSame(metadata, policy.metadata)), policy];
      if (!decides(part, next, verdictsOf)) continue;
      chosen = next;
      break;
    }
  }
  return chosen;
}

function isSame(one: ApiPolicy['metadata'], other: ApiPolicy['metadata']): boolean {
  return one.namespace === other.namespace && one.name === other.name;
}

/** Whether some verdict is another without a part of the policies, which are neither open nor shut as a whole. */
function decides(part: Part, policies: Policies, verdictsOf: VerdictsOf): boolean {
  const verdicts = verdictsOf(policies);
  if (!isMixed(verdicts)) return false;
  const without: Policies = JSON.parse(JSON.stringify(policies, part));
  return verdictsOf(without).some((one, at) => one !== verdicts[at]);
}

function isMixed(verdicts: readonly boolean[]): boolean {
  const open = verdicts.filter((one) => one).length / verdicts.length;
  return open >= OPEN.min && open <= OPEN.max;
}

/** Neither open nor shut, and each other than the one before. */
function areTelling(sets: readonly Policies[], verdictsOf: VerdictsOf): boolean {
  const verdicts = sets.map(verdictsOf);
  return verdicts.every((now, at) => {
    const old = verdicts[at - 1];
    const changed = now.filter((one, index) => old !== undefined && one !== old[index]).length;
    return isMixed(now) && (old === undefined || changed / now.length >= MIN_CHANGED);
  });
}

/** By TCP between pods, and between pods and what is outside. */
function createVerdicts(cluster: ApiCluster): VerdictsOf {
  const own = (cluster.pods ?? []).map(({ status }) => (status.podIPs ?? []).map(({ ip }) => ip));
  const ends = [...own, EXTERNAL_IPS];
  const pairs = ends.flatMap((sources) =>
    ends
      .filter((destinations) => destinations !== sources)
      .flatMap((destinations) =>
        sources.flatMap((source) => destinations.map((destination) => ({ source, destination }))),
      ),
  );
  const flows = pairs
    .filter(({ source, destination }) => source.includes(':') === destination.includes(':'))
    .flatMap((pair) => PORTS.map((port) => ({ ...pair, port, protocol: 'TCP' })));
  const known = new Map<string, readonly boolean[]>();
  return (policies) => {
    const key = JSON.stringify(policies);
    const found =
      known.get(key) ??
      flows.map((flow) => {
        const { egress, ingress } = obviousVerdict({ ...cluster, policies }, flow);
        return egress && ingress;
      });
    known.set(key, found);
    return found;
  };
}
