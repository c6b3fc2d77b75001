/** The named ports of peers, by address, as `portsOf` finds them. Follows tables: a change costs the entries that it touches. */

import { PersistentMap } from '../../../common/persistent_map.ts';
import { type AddressGroup, type ContainerPort, portsOf, type TableGroups } from '../../../policy/index.ts';
import { Pace, type Steps } from './steps.ts';

type Ports = readonly ContainerPort[];

const NOTHING = PersistentMap.from<Ports>([]);
const NO_PORTS: Ports = [];

/** Ports of pods that some group has with their ports. */
export class PeerPorts {
  /** Those of the last table that have ports, in its order. */
  #groups: TableGroups = new Map();
  /** Of pods that have some. */
  readonly #ports = new Map<string, Ports>();

  /** The named ports of the pod that has an address. */
  of(address: string): Ports {
    return this.#ports.get(address) ?? NO_PORTS;
  }

  /** Addresses of pods that have named ports. */
  addresses(): Iterable<string> {
    return this.#ports.keys();
  }

  /**
   * Goes over to another table.
   * @param touched gets the addresses whose ports may be others
   */
  *follow(groups: TableGroups, touched: Set<string>): Steps<void> {
    const before = this.#groups;
    const now = new Map([...groups].filter(([, { ports }]) => ports !== undefined));
    this.#groups = now;
    const pace = new Pace();
    const changed = new Set<string>();
    for (const id of new Set([...before.keys(), ...now.keys()])) {
      const [old, ports] = [portsIn(before.get(id)), portsIn(now.get(id))];
      for (const [address] of ports.since(old)) {
        if (pace.isDue()) yield;
        changed.add(address);
      }
    }
    // One look into each group for each address, or one look at each entry: what is less.
    const entries = [...now.values()].reduce((sum, group) => sum + portsIn(group).size, 0);
    const found = changed.size * now.size > entries ? yield* firstOfEach(now, changed) : undefined;
    for (const address of changed) {
      if (pace.isDue(found === undefined ? now.size : 1)) yield;
      const ports = found === undefined ? portsOf({ groups: now }, address) : found.get(address);
      if (ports === undefined || ports.length === 0) this.#ports.delete(address);
      else this.#ports.set(address, ports);
      touched.add(address);
    }
  }
}

function portsIn(group: AddressGroup | undefined): PersistentMap<Ports> {
  return group?.ports ?? NOTHING;
}

/** Of the groups that have an address the first one counts. */
function* firstOfEach(
  groups: TableGroups,
  addresses: ReadonlySet<string>,
): Steps<ReadonlyMap<string, Ports>> {
  const found = new Map<string, Ports>();
  const pace = new Pace();
  for (const group of groups.values()) {
    for (const [address, ports] of portsIn(group)) {
      if (pace.isDue()) yield;
      if (addresses.has(address) && !found.has(address)) found.set(address, ports);
    }
  }
  return found;
}
