/** Which of the groups that rules ask for an address is in. Follows tables: a change costs the members that came and went. */

import { PersistentMap } from '../../../common/persistent_map.ts';
import type { TableGroups } from '../../../policy/index.ts';
import type { RuleSet } from './rule_sets.ts';
import { Pace, type Steps } from './steps.ts';

const NOBODY = PersistentMap.from<string>([]);
const NONE: readonly AskedGroup[] = [];

/** A group that rules ask for. */
class AskedGroup {
  /** The rules that do. */
  rules: RuleSet;
  /** Those that are listed by address. */
  members = NOBODY;
  /** The list of all addresses that are in no other group. */
  readonly alone: AskedGroup[] = [this];

  constructor(rules: RuleSet) {
    this.rules = rules;
  }
}

/** The groups of one direction's rules, by address. */
export class GroupMembers {
  /** By id. */
  readonly #asked = new Map<string, AskedGroup>();
  /** By address. A list of one group is shared and never changes; a longer one belongs to its address. */
  readonly #groups = new Map<string, AskedGroup[]>();

  /** The groups that an address is in, each with the rules that ask for it. */
  of(address: string): readonly { readonly rules: RuleSet }[] {
    return this.#groups.get(address) ?? NONE;
  }

  has(address: string): boolean {
    return this.#groups.has(address);
  }

  /** Addresses that are in some group. */
  addresses(): Iterable<string> {
    return this.#groups.keys();
  }

  /**
   * Goes over to another table.
   * @param wanted the groups that rules ask for, with these rules
   * @param touched gets the addresses that have joined or left a group
   */
  *follow(wanted: ReadonlyMap<string, RuleSet>, groups: TableGroups, touched: Set<string>): Steps<void> {
    const pace = new Pace();
    for (const [id, group] of this.#asked) {
      if (wanted.has(id)) continue;
      yield* this.#update(group, NOBODY, touched, pace);
      this.#asked.delete(id);
    }
    for (const [id, rules] of wanted) {
      const group = this.#asked.get(id) ?? new AskedGroup(rules);
      this.#asked.set(id, group);
      group.rules = rules;
      const members = groups.get(id)?.members ?? NOBODY;
      if (members !== group.members) yield* this.#update(group, members, touched, pace);
    }
  }

  *#update(group: AskedGroup, members: PersistentMap<string>, touched: Set<string>, pace: Pace): Steps<void> {
    for (const [address, before, now] of members.since(group.members)) {
      if (pace.isDue()) yield;
      // Another pod has the address: the rules of its groups are the same.
      if (before !== undefined && now !== undefined) continue;
      if (now === undefined) this.#leave(address, group);
      else this.#join(address, group);
      touched.add(address);
    }
    group.members = members;
  }

  #join(address: string, group: AskedGroup): void {
    const known = this.#groups.get(address);
    if (known === undefined) this.#groups.set(address, group.alone);
    else if (known.length === 1) this.#groups.set(address, [...known, group]);
    else known.push(group);
  }

  #leave(address: string, group: AskedGroup): void {
    const left = (this.#groups.get(address) ?? []).filter((one) => one !== group);
    const [first] = left;
    if (first === undefined) this.#groups.delete(address);
    else this.#groups.set(address, left.length === 1 ? first.alone : left);
  }
}
