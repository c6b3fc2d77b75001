/** Rules by address group: which of many groups is an address in? */

import type { Table } from '../table/index.ts';
import type { PortIndex } from './port_index.ts';

/** A group that rules ask for, with the ports of these rules. */
interface GroupRules {
  readonly members: { has(address: string): boolean };
  readonly ports: PortIndex;
  readonly isPartial: boolean;
}

/** The groups of one direction's rules. Each is asked about an address: with a thousand groups that takes some 50 us. */
export class GroupIndex {
  readonly #groups: readonly GroupRules[];

  constructor(rules: ReadonlyMap<string, PortIndex>, { groups }: Pick<Table, 'groups'>) {
    this.#groups = [...rules].flatMap(([id, ports]): GroupRules[] => {
      const group = groups.get(id);
      return group === undefined
        ? []
        : [{ members: group.members, ports, isPartial: group.partial === true }];
    });
  }

  /** The port indexes of the groups that have only the members that were asked about. */
  get partial(): readonly PortIndex[] {
    return this.#groups.flatMap(({ isPartial, ports }) => (isPartial ? [ports] : []));
  }

  /** The port indexes of the groups that an address is in. */
  find(address: string): PortIndex[] {
    const found: PortIndex[] = [];
    for (const { members, ports } of this.#groups) if (members.has(address)) found.push(ports);
    return found;
  }
}
