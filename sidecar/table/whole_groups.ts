/**
 * An injector sends a sidecar that has met too many members the large groups whole, for as long as the connection lasts. It is
 * remembered here: on another connection the sidecar would begin with few members again, and its peers would be denied meanwhile.
 */
import { type AddressGroup, MAX_MET, type Table } from '../../policy/index.ts';

/** Knows whether groups have to come whole, for the life of the process or until none has many members. */
export class WholeGroups {
  #areWanted = false;

  /** Whether the next connection has to ask for whole groups. */
  get areWanted(): boolean {
    return this.#areWanted;
  }

  /**
   * A table has taken the place of another one. A group that became small comes whole too: if it has many members still, it counts as
   * one that was met too much, which costs memory only.
   * @param partial whether its connection asks for partial groups
   */
  took(before: Table | undefined, now: Table, partial: boolean): void {
    if (this.#areWanted) this.#areWanted = hasLargeWhole(now);
    else if (partial && before !== undefined) this.#areWanted = wentWhole(before, now);
  }
}

/** Whether a table has a group that may come in part on another connection, and is whole. */
export function hasLargeWhole({ groups }: Table): boolean {
  for (const group of groups.values()) if (isLargeWhole(group)) return true;
  return false;
}

function wentWhole(before: Table, now: Table): boolean {
  for (const [id, { partial }] of before.groups) {
    const after = partial === true ? now.groups.get(id) : undefined;
    if (after !== undefined && isLargeWhole(after)) return true;
  }
  return false;
}

function isLargeWhole({ partial, members }: AddressGroup): boolean {
  return partial !== true && members.size > MAX_MET;
}
