/**
 * Whether a pod that is there is to rules what one that may come would be. Who has one label of a selector need not have the others
 * by which rules tell pods apart: that `app=web` is there says nothing of all pods of its namespace.
 */
import {
  type Cluster,
  type LabelSelector,
  type Labels,
  matchesSelector,
  NAMESPACE_NAME_LABEL,
  type NetworkPolicyPeer,
  namespaceLabels,
  requirementsOf,
} from '../../policy/index.ts';
import type { KnownPod } from './known_pods.ts';

type PodsPeer = Extract<NetworkPolicyPeer, { kind: 'pods' }>;

/** A namespace. */
export interface Place {
  readonly name: string;
  /** Of one that does not exist. */
  readonly labels?: Labels;
}

/** Knows the pods that are there. */
export interface AlikePods {
  /** @param labels of the pod that may come */
  has(place: Place, labels: Labels): boolean;
}

/** Compares by what the rules of any of the clusters ask for. */
export function createAlikePods(
  clusters: readonly Cluster[],
  known: ReadonlyMap<string, readonly KnownPod[]>,
): AlikePods {
  const anywhere: PodsPeer[] = [];
  /** Keys by which policies of a namespace tell its own pods apart. */
  const ownKeys = new Map<string, Set<string>>();
  const namespaceKeys = new Set<string>();
  for (const { policies } of clusters)
    for (const { namespace, podSelector, policyTypes, ingress, egress } of policies.values()) {
      const own = ownKeys.get(namespace) ?? new Set<string>();
      if (policyTypes.includes('egress')) addKeys(own, podSelector);
      for (const { peers } of [...ingress, ...egress])
        for (const peer of peers) {
          if (peer.kind !== 'pods') continue;
          if (peer.namespaceSelector === undefined) {
            // It admits pods of this namespace only: none of another is like them.
            ownKeys.set(namespace, own);
            addKeys(own, peer.podSelector);
          } else {
            anywhere.push(peer);
            addKeys(namespaceKeys, peer.namespaceSelector);
          }
        }
      if (own.size > 0 || policyTypes.includes('egress')) ownKeys.set(namespace, own);
    }

  const keysByPlace = new Map<string, readonly string[]>();
  const keysIn = (place: Place): readonly string[] => {
    const before = keysByPlace.get(place.name);
    if (before !== undefined) return before;
    const keys = new Set(ownKeys.get(place.name));
    for (const { namespaceSelector, podSelector } of anywhere)
      if (clusters.some((one) => matchesSelector(namespaceSelector ?? NONE, labelsOf(one, place))))
        addKeys(keys, podSelector);
    const found = [...keys].sort();
    keysByPlace.set(place.name, found);
    return found;
  };

  const usedKeys = [...namespaceKeys];
  // One that is told apart by its name, or by policies of its own, is like no other.
  const byLabels = Map.groupBy(
    namespaceKeys.has(NAMESPACE_NAME_LABEL) ? [] : [...known.keys()].filter((name) => !ownKeys.has(name)),
    (name) => {
      const [first, ...others] = clusters.map((one) => projected(namespaceLabels(one, name), usedKeys));
      return others.every((other) => other === first) ? first : undefined;
    },
  );
  /** Namespaces that exist and are to rules what this one is. */
  const placesLike = ({ name, labels }: Place): readonly string[] =>
    labels === undefined ? [name] : (byLabels.get(projected(labels, usedKeys)) ?? []);

  const podsByPlace = new Map<string, ReadonlySet<string>>();
  return {
    has(place, labels) {
      const keys = keysIn(place);
      const pods =
        podsByPlace.get(place.name) ??
        new Set(
          placesLike(place)
            .flatMap((name) => known.get(name) ?? [])
            .filter(({ pod }) => !pod.hostNetwork)
            .map(({ pod }) => projected(pod.labels, keys)),
        );
      podsByPlace.set(place.name, pods);
      return pods.has(projected(labels, keys));
    },
  };
}

const NONE: LabelSelector = { matchLabels: {}, matchExpressions: [] };

function labelsOf(cluster: Cluster, { name, labels }: Place): Labels {
  return labels ?? namespaceLabels(cluster, name);
}

function addKeys(keys: Set<string>, selector: LabelSelector | undefined): void {
  if (selector !== undefined) for (const { key } of requirementsOf(selector)) keys.add(key);
}

function projected(labels: Labels, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => (Object.hasOwn(labels, key) ? [labels[key]] : [])));
}

/** The peers of rules that not all of the clusters have as they are: these may admit others than before. */
export function changedPeers(clusters: readonly Cluster[]): ReadonlySet<NetworkPolicyPeer> {
  // Texts of policies and rules are long, and each goes with thousands of peers.
  const numbers = new Map<string, number>();
  const numberOf = (value: unknown): number => {
    const text = JSON.stringify(value);
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
  const byText = clusters.map(({ policies }) => {
    const found = new Map<string, NetworkPolicyPeer[]>();
    for (const { namespace, name, podSelector, policyTypes, ingress, egress } of policies.values()) {
      const policy = numberOf([namespace, name, podSelector, policyTypes]);
      for (const [direction, rules] of Object.entries({ ingress, egress }))
        for (const { ports, peers } of rules) {
          const rule = numberOf([policy, direction, ports]);
          for (const peer of peers) {
            const text = `${rule} ${JSON.stringify(peer)}`;
            const same = found.get(text);
            if (same === undefined) found.set(text, [peer]);
            else same.push(peer);
          }
        }
    }
    return found;
  });
  return new Set(
    byText.flatMap((own) =>
      [...own].flatMap(([text, peers]) => (byText.every((other) => other.has(text)) ? [] : peers)),
    ),
  );
}
