/** The pod directory of a cluster: who owns which address, kept current pod by pod. */

import { compareTexts } from '../key.ts';
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

const NOWHERE: ReadonlySet<string> = new Set();

function isNamed({ name }: Pod['ports'][number]): boolean {
  return name !== undefined;
}

function identityOf(pod: Pod): PodIdentity {
  return {
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    workload: pod.workload,
    labels: pod.labels,
    ports: pod.ports.every(isNamed) ? pod.ports : pod.ports.filter(isNamed),
  };
}

const NOBODY: readonly Claim[] = [];

/** `seen`: changes come in the order in which they happen. `found`: in no order, as from files. */
export type ChangeOrder = 'seen' | 'found';

/** The addresses a pod lays claim to: see `addressOwners` for which pods do. */
function claimsOf(pod: Pod | undefined): ReadonlySet<string> {
  return pod !== undefined && isSubject(pod) ? new Set(pod.ips) : NOWHERE;
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
  /** By the key of a label, and then by its value. */
  readonly #byLabel = new Map<string, SetIndex<string>>();

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
    return this.#byLabel.get(key)?.get(value) ?? NOWHERE;
  }

  /**
   * Replaces a pod by how it is now; one of the two may be absent, both have the same key. A claim to an address keeps its
   * place among others for as long as the pod has the address.
   */
  replace(before: Pod | undefined, after: Pod | undefined, order: ChangeOrder): OwnerChange[] {
    const [released, claimed] = [claimsOf(before), claimsOf(after)];
    this.#setIdentity(before, claimed.size === 0 ? undefined : after);
    const addresses = released.size === 0 ? claimed : new Set([...released, ...claimed]);
    for (const address of addresses) {
      const known = this.#claims.get(address) ?? NOBODY;
      const others = known.filter(({ pod }) => pod !== before);
      const own = known.find(({ pod }) => pod === before && pod.uid === after?.uid);
      if (after !== undefined && claimed.has(address))
        others.push({ pod: after, order: own?.order ?? this.#place(after, order) });
      if (others.length === 0) this.#claims.delete(address);
      else this.#claims.set(address, others);
    }
    const changes: OwnerChange[] = [];
    for (const address of addresses) {
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
    const [key, made] = [podKey(after), identityOf(after)];
    if (!sameData(this.#identities.get(key), made)) this.#identities.set(key, made);
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
    for (const [key, value] of Object.entries(pod.labels)) {
      const byValue = this.#byLabel.get(key) ?? new SetIndex<string>();
      this.#byLabel.set(key, byValue);
      byValue.add(value, address);
    }
  }

  #unindex(address: string, pod: PodIdentity): void {
    this.#byNamespace.delete(pod.namespace, address);
    for (const [key, value] of Object.entries(pod.labels)) {
      const byValue = this.#byLabel.get(key);
      byValue?.delete(value, address);
      if (byValue?.isEmpty === true) this.#byLabel.delete(key);
    }
  }
}
