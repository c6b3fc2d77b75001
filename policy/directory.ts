/** The pod directory of a cluster: who owns which address, in the form tables carry. */

import { sortedRecord } from './key.ts';
import type { Cluster, Labels, Pod } from './model.ts';
import { addressOwners, namespaceLabels, podKey } from './ownership.ts';
import { reuseEntries } from './same_data.ts';
import type { PodIdentity } from './table.ts';

/** Who owns which address, for all tables of one cluster. */
export interface Directory {
  readonly pods: Readonly<Record<string, PodIdentity>>;
  /** Labels of every namespace that `pods` mentions. */
  readonly namespaces: Readonly<Record<string, Labels>>;
  /** The addresses a pod owns, by pod key, each list sorted. A pod that owns none is absent. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
}

function identityOf(pod: Pod): PodIdentity {
  return {
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    workload: pod.workload,
    labels: pod.labels,
    ports: pod.ports.filter((port) => port.name !== undefined),
  };
}

/** Makes the directory. Objects of `previous` that still say the same are used again, so that a diff sees them at once. */
export function createDirectory(cluster: Cluster, previous?: Directory): Directory {
  const addresses = new Map<string, string[]>();
  const identities = new Map<string, PodIdentity>();
  const pods: [string, PodIdentity][] = [];
  for (const [address, pod] of addressOwners(cluster)) {
    const key = podKey(pod);
    const list = addresses.get(key);
    if (list === undefined) addresses.set(key, [address]);
    else list.push(address);
    const identity = identities.get(key) ?? identityOf(pod);
    identities.set(key, identity);
    pods.push([address, identity]);
  }
  for (const list of addresses.values()) list.sort();
  const names = new Set([...identities.values()].map(({ namespace }) => namespace));
  const namespaces = [...names].map((name): [string, Labels] => [name, namespaceLabels(cluster, name)]);
  return {
    pods: reuseEntries(sortedRecord(pods), previous?.pods),
    namespaces: reuseEntries(sortedRecord(namespaces), previous?.namespaces),
    addresses,
  };
}
