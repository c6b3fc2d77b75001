/**
 * What of its pod's table one sidecar is sent that takes partial groups: of a large group, only the members that it has met. An
 * address is met when the sidecar has asked about it and it is a member of a large group of the table, for as long as it is. A group
 * that becomes large while the sidecar has it whole stays whole.
 */

import { PersistentMap } from '../../../common/persistent_map.ts';
import type { AddressGroup, Table, TableGroups } from '../../../policy/index.ts';

/** What a view asks of the server, and says to it. All is about one pod. */
export interface ViewHost {
  /** Whether a group is large. */
  isLarge(groupId: string): boolean;
  /** Whether an address is, now, a member of a large group of the pod's table. */
  isMember(address: string): boolean;
  /** From here on, changes of the address concern the sidecar. */
  met(address: string): void;
  /** Undoes `met`. */
  forgot(address: string): void;
  /** From here on, changes of all members of large groups concern it, or only of those that it has met. */
  needsWhole(isNeeded: boolean): void;
}

/** Bounds of a view. */
export interface ViewLimits {
  /** Addresses that a sidecar may have met at once: with more it is sent large groups whole. */
  readonly maxMet: number;
  /** Addresses that it may have asked about without an answer: others are not kept. */
  readonly maxMeets: number;
}

/** One object for all sessions: those whose tables have the same groups share the bytes of their changes. */
const NO_GROUPS: TableGroups = new Map();

/** The view of one session. */
export class PartialView {
  readonly #host: ViewHost;
  readonly #limits: ViewLimits;
  readonly #met = new Set<string>();
  /** Asked about; to be answered after the next table or change. */
  readonly #asked = new Set<string>();
  #isWhole = false;
  /** It has a large group whole, which was not large before. */
  #holdsLarge = false;
  /** The partial groups last made, by id. */
  #partial: ReadonlyMap<string, AddressGroup> = new Map();
  /** The groups of the table last made. */
  #groups: TableGroups = NO_GROUPS;

  constructor(host: ViewHost, limits: ViewLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  /** Whether the sidecar has met too many: it is sent every table as it is. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether changes of all members of large groups concern the sidecar. */
  get needsWhole(): boolean {
    return this.#isWhole || this.#holdsLarge;
  }

  /** Members of large groups that the sidecar has asked about. */
  get met(): ReadonlySet<string> {
    return this.#met;
  }

  /** Whether the sidecar has asked what the next table or change will answer. */
  get hasQuestions(): boolean {
    return this.#asked.size > 0;
  }

  /** Whether the next table would have one of these addresses that the last one has not. */
  isNews(addresses: readonly string[]): boolean {
    return (
      !this.#isWhole && addresses.some((address) => !this.#met.has(address) && this.#host.isMember(address))
    );
  }

  /** Has the next table have those of these addresses that are members, and `takeAsked` name all of them. */
  ask(addresses: readonly string[]): void {
    for (const address of addresses) {
      // Where no table comes for long, what is asked meanwhile must not pile up.
      if (this.#asked.size >= this.#limits.maxMeets) return;
      this.#asked.add(address);
    }
  }

  /** What can be answered now that a table or change has been sent. */
  takeAsked(): readonly string[] {
    const asked = [...this.#asked];
    this.#asked.clear();
    return asked;
  }

  /** What the sidecar is sent of a table. Parts that say the same as those of the last one are the same objects. */
  of(table: Table): Table {
    if (this.#isWhole) return table;
    const all = [...table.groups].filter(([id]) => this.#host.isLarge(id));
    const large = all.filter(([id]) => !this.#isHeldWhole(id));
    this.#meet(large.map(([, group]) => group));
    if (this.#met.size > this.#limits.maxMet) {
      this.#takeWhole();
      return table;
    }
    const holdsLarge = large.length < all.length;
    if (holdsLarge !== this.#holdsLarge) this.#host.needsWhole(holdsLarge);
    this.#holdsLarge = holdsLarge;
    this.#partial = new Map(large.map(([id, group]) => [id, this.#partOf(group, this.#partial.get(id))]));
    const groups = large.length === 0 ? table.groups : new Map([...table.groups, ...this.#partial]);
    if (!haveSameGroups(groups, this.#groups)) this.#groups = groups;
    return { ...table, groups: this.#groups };
  }

  /** Finds out who is met, as of a table. */
  #meet(large: readonly AddressGroup[]): void {
    const isMember = (address: string): boolean => large.some(({ members }) => members.has(address));
    for (const address of this.#met) {
      if (isMember(address)) continue;
      this.#met.delete(address);
      this.#host.forgot(address);
    }
    for (const address of this.#asked) {
      if (this.#met.has(address) || !isMember(address)) continue;
      this.#met.add(address);
      this.#host.met(address);
    }
  }

  #takeWhole(): void {
    this.#isWhole = true;
    for (const address of this.#met) this.#host.forgot(address);
    this.#met.clear();
    this.#partial = new Map();
    this.#groups = NO_GROUPS;
    this.#host.needsWhole(true);
  }

  /** A group that becomes large is not taken from a sidecar that has it whole: live flows of its members would end. */
  #isHeldWhole(id: string): boolean {
    const held = this.#groups.get(id);
    return held !== undefined && held.partial !== true;
  }

  /** The members of a group that are met. @param before the same of the group before */
  #partOf(group: AddressGroup, before: AddressGroup | undefined): AddressGroup {
    const members = this.#partOfMap(group.members, before?.members);
    const ports = group.ports && this.#partOfMap(group.ports, before?.ports);
    if (before !== undefined && members === before.members && ports === before.ports) return before;
    return { ...group, partial: true, members, ...(ports === undefined ? {} : { ports }) };
  }

  #partOfMap<V>(
    whole: PersistentMap<V>,
    before: PersistentMap<V> = PersistentMap.from<V>([]),
  ): PersistentMap<V> {
    const draft = before.draft();
    for (const address of before.keys()) if (!this.#met.has(address)) draft.set(address, undefined);
    for (const address of this.#met) draft.set(address, whole.get(address));
    return draft.done();
  }
}

function haveSameGroups(a: TableGroups, b: TableGroups): boolean {
  if (a.size !== b.size) return false;
  for (const [id, group] of a) if (b.get(id) !== group) return false;
  return true;
}
