/** The pod directory of a cluster: who owns which address, kept current pod by pod. */

import { compareTexts, objectKey } from '../key.ts';
import type { Pod } from '../model.ts';
import { type Claim, isSubject, LATE, podKey, takesOver, UNSEEN } from '../rules/index.ts';
import type { PodIdentity } from '../table/index.ts';
import { sameData } from '../table/index.ts';
import { SetIndex } from './set_index.ts';

/** An address whose owner changed, or whose owner is another pod now. `before` and `after` are never the same object. */
export interface OwnerChange {
  readonly address: string;
  readonly before: PodIdentity | undefined;
  readonly after: PodIdentity | undefined;
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

/** `seen`: changes come in the order in which they happen. `found`: in no order, as from files. */
export type ChangeOrder = 'seen' | 'found';

/** The addresses a pod lays claim to: see `addressOwners` for which pods do. */
function claimsOf(pod: Pod | undefined): ReadonlySet<string> {
  return new Set(pod !== undefined && isSubject(pod) ? pod.ips : []);
}

/** Owners by address. The cost of a change depends on the pod's addresses and labels, not on the size of the cluster. */
export class Directory {
  /** All live pods that claim an address; more than one while an old pod's end has not been seen yet. */
  readonly #claims = new Map<string, readonly Claim[]>();
  /** The order of the claim that was seen last. */
  #lastSeen = UNSEEN;
  readonly #owners = new Map<string, PodIdentity>();
  /** By pod key; the same object as long as its content is the same. */
  readonly #identities = new Map<string, PodIdentity>();
  readonly #byNamespace = new SetIndex<string>();
  readonly #byLabel = new SetIndex<string>();

  /** Who owns a canonical address. */
  owner(address: string): PodIdentity | undefined {
    return this.#owners.get(address);
  }

  /** Addresses and their owners. */
  get owners(): ReadonlyMap<string, PodIdentity> {
    return this.#owners;
  }

  /** The addresses a pod owns, sorted: one that another pod has taken over is no longer among them. */
  addressesOf(pod: Pod): string[] {
    const identity = this.#identities.get(podKey(pod));
    const owned = pod.ips.filter((ip) => identity !== undefined && this.#owners.get(ip) === identity);
    return [...new Set(owned)].sort(compareTexts);
  }

  /** Owned addresses of pods of a namespace. */
  inNamespace(namespace: string): ReadonlySet<string> {
    return this.#byNamespace.get(namespace);
  }

  /** Owned addresses of pods with a label. */
  withLabel(key: string, value: string): ReadonlySet<string> {
    return this.#byLabel.get(objectKey(key, value));
  }

  /**
   * Replaces a pod by how it is now; one of the two may be absent, both have the same key. A claim to an address keeps its
   * place among others for as long as the pod has the address.
   */
  replace(before: Pod | undefined, after: Pod | undefined, order: ChangeOrder): OwnerChange[] {
    const [released, claimed] = [claimsOf(before), claimsOf(after)];
    this.#setIdentity(before, claimed.size === 0 ? undefined : after);
    for (const address of new Set([...released, ...claimed])) {
      const known = this.#claims.get(address) ?? [];
      const others = known.filter(({ pod }) => pod !== before);
      const own = known.find(({ pod }) => pod === before && pod.uid === after?.uid);
      const claims =
        after !== undefined && claimed.has(address)
          ? [...others, { pod: after, order: own?.order ?? this.#place(after, order) }]
          : others;
      if (claims.length === 0) this.#claims.delete(address);
      else this.#claims.set(address, claims);
    }
    const changes: OwnerChange[] = [];
    for (const address of new Set([...released, ...claimed])) {
      const change = this.#decide(address);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** The place of a new claim. */
  #place({ terminating }: Pod, order: ChangeOrder): number {
    if (order === 'found') return UNSEEN;
    if (terminating) return LATE;
    this.#lastSeen += 1;
    return this.#lastSeen;
  }

  #setIdentity(before: Pod | undefined, after: Pod | undefined): void {
    if (after === undefined) {
      if (before !== undefined) this.#identities.delete(podKey(before));
      return;
    }
    const made = identityOf(after);
    if (!sameData(this.#identities.get(podKey(after)), made)) this.#identities.set(podKey(after), made);
  }

  /** Works out who owns an address now. */
  #decide(address: string): OwnerChange | undefined {
    let holder: Claim | undefined;
    for (const claim of this.#claims.get(address) ?? []) {
      if (holder === undefined || takesOver(claim, holder)) holder = claim;
    }
    const before = this.#owners.get(address);
    const after = holder === undefined ? undefined : this.#identities.get(podKey(holder.pod));
    if (before === after) return undefined;
    if (before !== undefined) this.#unindex(address, before);
    if (after === undefined) this.#owners.delete(address);
    else this.#index(address, after);
    return { address, before, after };
  }

  #index(address: string, pod: PodIdentity): void {
    this.#owners.set(address, pod);
    this.#byNamespace.add(pod.namespace, address);
    for (const [key, value] of Object.entries(pod.labels)) this.#byLabel.add(objectKey(key, value), address);
  }

  #unindex(address: string, pod: PodIdentity): void {
    this.#byNamespace.delete(pod.namespace, address);
    for (const [key, value] of Object.entries(pod.labels))
      this.#byLabel.delete(objectKey(key, value), address);
  }
}
