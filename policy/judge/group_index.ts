/** Rules by address group: which of many groups is an address in? */

import { ownEntry } from '../key.ts';
import type { PodIdentity, Table } from '../table/index.ts';
import { DemandIndex, hasSorted } from '../table/index.ts';
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
  readonly #byDemand = new DemandIndex<GroupRules>();
  readonly #namespaces: Table['namespaces'];

  constructor(rules: ReadonlyMap<string, PortIndex>, { groups, namespaces }: Table) {
    this.#namespaces = namespaces;
    for (const [id, ports] of rules) {
      const group = ownEntry(groups, id);
      if (group !== undefined) this.#byDemand.add(group, { members: group.members, ports });
    }
  }

  /** The port indexes of the groups that an address is in. `pod` owns the address. */
  find(address: string, pod: PodIdentity): PortIndex[] {
    const candidates = this.#byDemand.find(pod, ownEntry(this.#namespaces, pod.namespace) ?? {});
    return candidates.flatMap(({ members, ports }) => (hasSorted(members, address) ? [ports] : []));
  }
}
