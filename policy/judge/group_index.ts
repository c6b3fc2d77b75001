/** Rules by address group: which of many groups is an address in? */

import { ownEntry } from '../key.ts';
import type { AddressGroup, PodIdentity, Table } from '../table/index.ts';
import { groupDemand, groupOffers, hasSorted } from '../table/index.ts';
import type { PortIndex } from './port_index.ts';

/** A group that rules ask for, with the ports of these rules. */
interface GroupRules {
  readonly members: readonly string[];
  readonly ports: PortIndex;
}

/**
 * The groups of one direction's rules. The member lists decide; what selectors demand only spares looking into most
 * of them, so that a thousand groups cost a new peer little.
 */
export class GroupIndex {
  readonly #byDemand = new Map<string, GroupRules[]>();
  /** Groups that demand nothing in particular. */
  readonly #others: GroupRules[] = [];
  readonly #namespaces: Table['namespaces'];

  constructor(rules: ReadonlyMap<string, PortIndex>, { groups, namespaces }: Table) {
    this.#namespaces = namespaces;
    for (const [id, ports] of rules) {
      const group = ownEntry(groups, id);
      if (group !== undefined) this.#add(group, ports);
    }
  }

  #add(group: AddressGroup, ports: PortIndex): void {
    const entry = { members: group.members, ports };
    const key = groupDemand(group);
    const list = key === undefined ? this.#others : this.#byDemand.get(key);
    if (list !== undefined) list.push(entry);
    else if (key !== undefined) this.#byDemand.set(key, [entry]);
  }

  /** The port indexes of the groups that an address is in. `pod` owns the address. */
  find(address: string, pod: PodIdentity): PortIndex[] {
    const found: PortIndex[] = [];
    const take = (entries: readonly GroupRules[]) => {
      for (const { members, ports } of entries) if (hasSorted(members, address)) found.push(ports);
    };
    take(this.#others);
    for (const key of groupOffers(pod, ownEntry(this.#namespaces, pod.namespace) ?? {})) {
      const entries = this.#byDemand.get(key);
      if (entries !== undefined) take(entries);
    }
    return found;
  }
}
