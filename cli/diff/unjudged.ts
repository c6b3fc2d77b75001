/** Policies that differ and change nothing that is known: nobody shall take silence about them for an answer. */
import { isDeepStrictEqual } from 'node:util';
import { firstFew } from '../../common/first_few.ts';
import { type Cluster, isSubject, matchesSelector, type NetworkPolicy } from '../../policy/index.ts';
import type { KnownPod } from '../connectivity/index.ts';

/** One side, as far as it matters here. */
export interface KnownSide {
  readonly cluster: Cluster;
  readonly pods: readonly KnownPod[];
}

/** Policies that are named; more are only counted. */
const NAMED = 5;

/** A sentence, where there are such policies: those that select no pod that is known. */
export function unjudged(before: KnownSide, after: KnownSide): readonly string[] {
  const keys = new Set([...before.cluster.policies.keys(), ...after.cluster.policies.keys()]);
  const [was, is] = [podsByNamespace(before), podsByNamespace(after)];
  const found = [...keys].sort().filter((key) => {
    const [old, now] = [before.cluster.policies.get(key), after.cluster.policies.get(key)];
    return !isDeepStrictEqual(old, now) && !selects(old, was) && !selects(now, is);
  });
  if (found.length === 0) return [];
  return [
    `these policies differ, and select no pod that is known, so what they change is not known: ${firstFew(found, NAMED)} (name the workloads with -f)`,
  ];
}

function podsByNamespace({ pods }: KnownSide): ReadonlyMap<string, readonly KnownPod[]> {
  return Map.groupBy(pods, ({ pod }) => pod.namespace);
}

function selects(policy: NetworkPolicy | undefined, pods: ReadonlyMap<string, readonly KnownPod[]>): boolean {
  if (policy === undefined) return false;
  return (pods.get(policy.namespace) ?? []).some(
    ({ pod }) => isSubject(pod) && matchesSelector(policy.podSelector, pod.labels),
  );
}
