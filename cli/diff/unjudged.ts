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

/** A sentence each on such policies: those that select no pod that is known, and those of namespaces of which no pod is known. */
export function unjudged(before: KnownSide, after: KnownSide): readonly string[] {
  const keys = new Set([...before.cluster.policies.keys(), ...after.cluster.policies.keys()]);
  const [was, is] = [podsByNamespace(before), podsByNamespace(after)];
  const found = [...keys].sort().filter((key) => {
    const [old, now] = [before.cluster.policies.get(key), after.cluster.policies.get(key)];
    return !isDeepStrictEqual(old, now) && !selects(old, was) && !selects(now, is);
  });
  const isKnown = (key: string): boolean =>
    [was, is].every((pods, at) => {
      const policy = [before, after][at]?.cluster.policies.get(key);
      return policy === undefined || pods.has(policy.namespace);
    });
  const [idle, unknown] = [found.filter(isKnown), found.filter((key) => !isKnown(key))];
  const moved = idle.length === 0 ? new Map<string, string>() : movedPolicies(before.cluster, after.cluster);
  const named = idle.map((key) => {
    const place = moved.get(key);
    return place === undefined ? key : `${key} (now ${place})`;
  });
  return [
    ...(idle.length === 0
      ? []
      : [
          `these policies differ, and select none of the workloads of their namespace, so they change nothing unless others come: ${firstFew(named, NAMED)}`,
        ]),
    ...(unknown.length === 0
      ? []
      : [
          `these policies differ, and select no pod that is known, so what they change is not known: ${firstFew(unknown, NAMED)} (name the workloads with -f)`,
        ]),
  ];
}

/** Policies that are gone, and where another of their name and podSelector has come: they went to another namespace. */
function movedPolicies(before: Cluster, after: Cluster): ReadonlyMap<string, string> {
  const come = new Map(
    [...after.policies]
      .filter(([key]) => !before.policies.has(key))
      .map(([key, { name, podSelector }]) => [JSON.stringify([name, podSelector]), key]),
  );
  return new Map(
    [...before.policies].flatMap(([key, { name, podSelector }]): readonly (readonly [string, string])[] => {
      const place = after.policies.has(key) ? undefined : come.get(JSON.stringify([name, podSelector]));
      return place === undefined ? [] : [[key, place]];
    }),
  );
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
