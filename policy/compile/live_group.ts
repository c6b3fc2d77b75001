/** One address group that is kept current. */

import { PersistentMap } from '../../common/persistent_map.ts';
import type { ContainerPort } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import { formatSelector } from '../rules/index.ts';
import { type AddressGroup, type PodIdentity, sameData, tagOf } from '../table/index.ts';

/** What a group is made of. */
export interface GroupTest extends PodsPeer {
  /** Rules ask for ports of its members by name: the group has them. */
  readonly withPorts?: true;
}

/** The group id of a canonical selector: readable, and equal for equal selectors only. */
export function groupId(test: GroupTest): string {
  const pods = `pods(${test.podSelector === undefined ? '*' : formatSelector(test.podSelector)})`;
  const ports = test.withPorts === true ? ' with ports' : '';
  if (test.namespaceSelector === undefined) return `${pods} in namespace ${test.namespace ?? ''}${ports}`;
  return `${pods} in namespaces(${formatSelector(test.namespaceSelector)})${ports}`;
}

/**
 * A group that is kept current, address by address. What tables carry is another object as soon as a member comes, goes, or is
 * another pod, and shares all else with the one before.
 */
export class LiveGroup {
  readonly id: string;
  readonly test: GroupTest;
  /** Changes since `#group` was made. */
  readonly #changes = new Map<string, PodIdentity | undefined>();
  #group: AddressGroup;
  /** What tables had at the last commit. */
  #committed: AddressGroup;

  /** @param members by address, with the pod that has it */
  constructor(test: GroupTest, members: Iterable<readonly [address: string, pod: PodIdentity]>) {
    this.id = groupId(test);
    this.test = test;
    const all = [...members];
    const { kind: _, withPorts, ...selectors } = test;
    const named = all.filter(([, { ports }]) => ports.length > 0);
    this.#group = {
      ...selectors,
      members: PersistentMap.from(all.map(([address, { uid }]) => [address, tagOf(uid)])),
      ...(withPorts === true
        ? { ports: PersistentMap.from(named.map(([address, { ports }]) => [address, ports])) }
        : {}),
    };
    this.#committed = this.#group;
  }

  has(address: string): boolean {
    return this.#changes.has(address)
      ? this.#changes.get(address) !== undefined
      : this.#group.members.has(address);
  }

  /** An address is that of this member now; undefined: of none. */
  set(address: string, pod: PodIdentity | undefined): void {
    this.#changes.set(address, pod);
  }

  /** The group as tables carry it; the same object until something of it changes. */
  get group(): AddressGroup {
    if (this.#changes.size === 0) return this.#group;
    const { members, ports } = this.#group;
    const changed = [...this.#changes];
    const group = {
      ...this.#group,
      members: members.with(changed.map(([address, pod]) => [address, pod && tagOf(pod.uid)])),
      ...(ports === undefined ? {} : { ports: ports.with(changed.map((one) => portsAfter(ports, one))) }),
    };
    this.#changes.clear();
    if (group.members !== members || group.ports !== ports) this.#group = group;
    return this.#group;
  }

  /** Whether tables have to be told: the group differs from the one at the last commit. */
  get isChanged(): boolean {
    return this.group !== this.#committed;
  }

  /** Ends the change set. */
  commit(): void {
    this.#committed = this.group;
  }
}

/** Ports that say the same as before are the same object. */
function portsAfter(
  known: PersistentMap<readonly ContainerPort[]>,
  [address, pod]: readonly [string, PodIdentity | undefined],
): readonly [string, readonly ContainerPort[] | undefined] {
  const ports = pod === undefined || pod.ports.length === 0 ? undefined : pod.ports;
  const before = known.get(address);
  return [address, sameData(before, ports) ? before : ports];
}
