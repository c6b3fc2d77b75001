/** One address group that is kept current. */

import { type MapDraft, PersistentMap } from '../../common/persistent_map.ts';
import type { ContainerPort } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import { formatSelector } from '../rules/index.ts';
import { type AddressGroup, type PodIdentity, sameData, tagOf } from '../table/index.ts';

/** What a group is made of. */
export interface GroupTest extends PodsPeer {
  /** Rules ask for ports of its members by name: the group has them. */
  readonly withPorts?: true;
}

/**
 * Every pod of the cluster, for named ports of rules that may mean any of them. It is never large: no rule has it as a peer, so a sidecar
 * would not ask about a member that it lacks.
 */
export const EVERY_POD: GroupTest = {
  kind: 'pods',
  namespaceSelector: { matchLabels: {}, matchExpressions: [] },
  withPorts: true,
};

/** The group id of a canonical selector: readable, and equal for equal selectors only. */
export function groupId(test: GroupTest): string {
  const pods = `pods(${test.podSelector === undefined ? '*' : formatSelector(test.podSelector)})`;
  const ports = test.withPorts === true ? ' with ports' : '';
  if (test.namespaceSelector === undefined) return `${pods} in namespace ${test.namespace ?? ''}${ports}`;
  return `${pods} in namespaces(${formatSelector(test.namespaceSelector)})${ports}`;
}

/** An address that may be a member's, with the pod that has it if it is one. */
export type Candidate = readonly [address: string, member: PodIdentity | undefined];

/** What a group is made with. */
export interface GroupOptions {
  /** Its `groupId`, where that is known. */
  readonly id?: string;
  /** How many candidates there are, about. */
  readonly count?: number;
  /** With more members than this a group is large; default: none is. */
  readonly mostMembers?: number;
}

/** A group that has become large stays so until it has less than this share of the bound: else each pod that comes and goes there would send it whole. */
const STAYS_LARGE = 0.75;

/** Candidates that are looked at at a time: 1 to 2 ms. */
const AT_A_TIME = 512;

/** A group whose members are being found. */
interface Unresolved {
  readonly candidates: Iterator<Candidate>;
  readonly members: MapDraft<string>;
  readonly ports: MapDraft<readonly ContainerPort[]> | undefined;
}

/**
 * A group that is kept current, address by address. What tables carry is another object as soon as a member comes, goes, or is
 * another pod, and shares all else with the one before.
 */
export class LiveGroup {
  readonly id: string;
  readonly test: GroupTest;
  readonly #mostMembers: number;
  /** Until all candidates have been looked at. */
  #unresolved: Unresolved | undefined;
  /** Changes since `#group` was made. */
  #changes: Map<string, PodIdentity | undefined> | undefined;
  #group: AddressGroup;
  /** What tables had at the last commit. */
  #committed: AddressGroup;
  /** At the last commit. */
  #wasLarge = false;

  /** @param candidates each address once; what `set` says of one counts more. They are looked at when the group is asked for, or before that by `resolve` */
  constructor(test: GroupTest, candidates: Iterable<Candidate>, options: GroupOptions = {}) {
    const { id = groupId(test), count = 0, mostMembers = Number.POSITIVE_INFINITY } = options;
    this.id = id;
    this.test = test;
    this.#mostMembers = mostMembers;
    const { kind: _, withPorts, ...selectors } = test;
    this.#group = { ...selectors, members: PersistentMap.sized(count) };
    this.#committed = this.#group;
    this.#unresolved = {
      candidates: candidates[Symbol.iterator](),
      members: this.#group.members.draft(),
      ports: withPorts === true ? PersistentMap.sized<readonly ContainerPort[]>(count).draft() : undefined,
    };
  }

  /**
   * Looks at candidates, many at a time, until all are done or `goOn` says no.
   * @returns whether all are done
   */
  resolve(goOn: () => boolean = () => true): boolean {
    while (this.#unresolved !== undefined) {
      this.#take(this.#unresolved);
      if (this.#unresolved !== undefined && !goOn()) return false;
    }
    return true;
  }

  #take({ candidates, members, ports }: Unresolved): void {
    for (let count = 0; count < AT_A_TIME; count += 1) {
      const next = candidates.next();
      if (next.done === true) {
        this.#group = {
          ...this.#group,
          members: members.done(),
          ...(ports === undefined ? {} : { ports: ports.done() }),
        };
        this.#committed = this.#group;
        this.#unresolved = undefined;
        this.#wasLarge = this.isLarge;
        return;
      }
      const [address, pod] = next.value;
      if (pod === undefined) continue;
      members.set(address, tagOf(pod.uid));
      if (pod.ports.length > 0) ports?.set(address, pod.ports);
    }
  }

  has(address: string): boolean {
    if (this.#changes?.has(address) === true) return this.#changes.get(address) !== undefined;
    this.resolve();
    return this.#group.members.has(address);
  }

  /** As `has`, without looking at candidates for it: one may be a member while they have not all been looked at. */
  mayHave(address: string): boolean {
    return this.#unresolved !== undefined || this.has(address);
  }

  /** An address is that of this member now; undefined: of none. */
  set(address: string, pod: PodIdentity | undefined): void {
    this.#changes ??= new Map();
    this.#changes.set(address, pod);
  }

  /** The group as tables carry it; the same object until something of it changes. */
  get group(): AddressGroup {
    this.resolve();
    if (this.#changes === undefined) return this.#group;
    const { members, ports } = this.#group;
    const changed = [...this.#changes];
    const group = {
      ...this.#group,
      members: members.with(changed.map(([address, pod]) => [address, pod && tagOf(pod.uid)])),
      ...(ports === undefined ? {} : { ports: ports.with(changed.map((one) => portsAfter(ports, one))) }),
    };
    this.#changes = undefined;
    if (group.members !== members || group.ports !== ports) this.#group = group;
    return this.#group;
  }

  /** Whether tables have to be told: the group differs from the one at the last commit. */
  get isChanged(): boolean {
    // Nobody has one that is not resolved.
    return this.#unresolved === undefined && this.group !== this.#committed;
  }

  /** Whether it has so many members that it is sent whole only to those who can take it in no other way. */
  get isLarge(): boolean {
    const { size } = this.group.members;
    return this.#wasLarge ? size >= this.#mostMembers * STAYS_LARGE : size > this.#mostMembers;
  }

  /** Whether it was large at the last commit. */
  get wasLarge(): boolean {
    return this.#wasLarge;
  }

  /** Addresses that have come, gone or changed since the last commit. One may be named twice. */
  *changedAddresses(): Generator<string, void, void> {
    const { members, ports } = this.group;
    for (const [address] of members.since(this.#committed.members)) yield address;
    for (const [address] of ports?.since(this.#committed.ports) ?? []) yield address;
  }

  /** Ends the change set. */
  commit(): void {
    if (this.#unresolved !== undefined) return;
    this.#wasLarge = this.isLarge;
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
