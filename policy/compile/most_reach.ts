/** What selectors may reach, counted and not looked up: enough to know that a cluster is far from every bound. */
import { objectKey } from '../key.ts';
import type { Cluster } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import { isSubject, NAMESPACE_NAME_LABEL, namespaceLabels } from '../rules/index.ts';
import { LEAST_REACH, MOST_NAMESPACES } from './groups.ts';

/** Counts the addresses of a cluster that does not change. */
export class MostReach {
  readonly #cluster: Cluster;
  readonly #byNamespace = new Map<string, number>();
  #all = 0;
  /** By `key/value`; made when a selector asks for labels of pods. */
  #byLabel: ReadonlyMap<string, number> | undefined;
  /** Namespaces by `key/value` of their labels; made when a selector asks. */
  #namespaces: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    for (const pod of cluster.pods.values()) {
      if (!isSubject(pod)) continue;
      this.#all += pod.ips.length;
      this.#byNamespace.set(pod.namespace, this.#in(pod.namespace) + pod.ips.length);
    }
  }

  /** At least what `Groups.reach` says of a selector: an address that several pods claim counts for each of them. */
  reach({ namespace, namespaceSelector, podSelector }: PodsPeer): number {
    let most = namespace === undefined ? this.#all : this.#in(namespace);
    for (const [key, value] of Object.entries(namespaceSelector?.matchLabels ?? {})) {
      const names = key === NAMESPACE_NAME_LABEL ? [value] : this.#namespacesWith(key, value);
      if (names.length <= MOST_NAMESPACES)
        most = Math.min(
          most,
          names.reduce((sum, name) => sum + this.#in(name), 0),
        );
    }
    if (most > LEAST_REACH)
      for (const [key, value] of Object.entries(podSelector?.matchLabels ?? {}))
        most = Math.min(most, this.#labelled(key, value));
    return Math.max(most, LEAST_REACH);
  }

  #in(namespace: string): number {
    return this.#byNamespace.get(namespace) ?? 0;
  }

  #labelled(key: string, value: string): number {
    this.#byLabel ??= addressesByLabel(this.#cluster);
    return this.#byLabel.get(objectKey(key, value)) ?? 0;
  }

  #namespacesWith(key: string, value: string): readonly string[] {
    this.#namespaces ??= namespacesByLabel(this.#cluster);
    return this.#namespaces.get(objectKey(key, value)) ?? [];
  }
}

function addressesByLabel({ pods }: Cluster): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const pod of pods.values())
    if (isSubject(pod))
      for (const [key, value] of Object.entries(pod.labels)) {
        const label = objectKey(key, value);
        counts.set(label, (counts.get(label) ?? 0) + pod.ips.length);
      }
  return counts;
}

function namespacesByLabel(cluster: Cluster): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const name of cluster.namespaces.keys())
    for (const [key, value] of Object.entries(namespaceLabels(cluster, name))) {
      const label = objectKey(key, value);
      const known = names.get(label);
      if (known === undefined) names.set(label, [name]);
      else known.push(name);
    }
  return names;
}
