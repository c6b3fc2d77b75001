/**
 * Many deltas applied to one table, as when a journal is read: what they touch is copied once, not for each delta. The table that
 * they lead to is checked as one that comes whole.
 */

import { SluiceError, unreachable } from '../../common/errors.ts';
import { compareTexts } from '../key.ts';
import { readTable } from './form.ts';
import type { AddressGroup, GroupDelta, Table, TableDelta } from './table.ts';

function malformed(problem: string): SluiceError {
  return new SluiceError('TABLE_MALFORMED', `the delta does not fit the table: ${problem}`);
}

/** The same deltas lead to the same table here as by `applyDelta`, one after the other. */
export class Replay {
  #table: Table;
  readonly #groups: Groups;
  readonly #pods: Entries<Table['pods'][string]>;
  readonly #namespaces: Entries<Table['namespaces'][string]>;
  readonly #services: Entries<Table['services'][string]>;

  /** @param table where the deltas begin; it is never changed */
  constructor(table: Table) {
    this.#table = table;
    this.#groups = new Groups(table.groups);
    this.#pods = new Entries(table.pods);
    this.#namespaces = new Entries(table.namespaces);
    this.#services = new Entries(table.services);
  }

  /**
   * Applies the next delta.
   * @throws SluiceError `TABLE_GAP` or `TABLE_MALFORMED`; the replay is then of no use
   */
  apply(delta: TableDelta): void {
    const table = this.#table;
    if (delta.from !== table.revision) {
      const gap = `the delta continues revision ${delta.from}, but the table has ${table.revision}`;
      throw new SluiceError('TABLE_GAP', gap);
    }
    const { revision, subject = table.subject, ingress = table.ingress, egress = table.egress } = delta;
    // Another pod's addresses, node and ports would count as this pod's own.
    if (subject.namespace !== table.subject.namespace || subject.name !== table.subject.name)
      throw malformed(`it is for ${subject.namespace}/${subject.name}`);
    for (const [id, change] of Object.entries(delta.groups ?? {})) this.#groups.change(id, change);
    this.#pods.change(delta.pods);
    this.#namespaces.change(delta.namespaces);
    this.#services.change(delta.services);
    this.#table = { ...table, revision, subject, ingress, egress };
  }

  /**
   * The table that the deltas so far lead to.
   * @throws SluiceError `TABLE_MALFORMED`, as a whole table of this form would be refused
   */
  end(): Table {
    return readTable({
      ...this.#table,
      groups: this.#groups.record(),
      pods: this.#pods.record(),
      namespaces: this.#namespaces.record(),
      services: this.#services.record(),
    });
  }
}

/** A record that changes. */
class Entries<T> {
  readonly #entries: Map<string, T>;

  constructor(entries: Readonly<Record<string, T>>) {
    this.#entries = new Map(Object.entries(entries));
  }

  change(changes: Readonly<Record<string, T | null>> = {}): void {
    for (const [key, value] of Object.entries(changes)) {
      if (value !== null) this.#entries.set(key, value);
      else if (!this.#entries.delete(key)) throw malformed(`there is no entry "${key}" to remove`);
    }
  }

  record(): Readonly<Record<string, T>> {
    return Object.fromEntries(this.#entries);
  }
}

/** Groups that change. */
class Groups {
  readonly #groups: Map<string, AddressGroup>;
  /** Members of the groups whose members have changed. */
  readonly #members = new Map<string, Set<string>>();

  constructor(groups: Table['groups']) {
    this.#groups = new Map(Object.entries(groups));
  }

  change(id: string, change: GroupDelta): void {
    switch (change.kind) {
      case 'set':
        this.#groups.set(id, change.group);
        this.#members.delete(id);
        return;
      case 'members':
        return this.#changeMembers(id, change.added, change.removed);
      case 'removed':
        if (!this.#groups.delete(id)) throw malformed(`there is no group "${id}"`);
        this.#members.delete(id);
        return;
      default:
        return unreachable(change);
    }
  }

  #changeMembers(id: string, added: readonly string[], removed: readonly string[]): void {
    const group = this.#groups.get(id);
    if (group === undefined) throw malformed(`there is no group "${id}"`);
    const members = this.#members.get(id) ?? new Set(group.members);
    this.#members.set(id, members);
    for (const member of removed) {
      if (!members.delete(member)) throw malformed(`${member} is not in group "${id}"`);
    }
    for (const member of added) {
      if (members.has(member)) throw malformed(`${member} is in group "${id}" already`);
      members.add(member);
    }
  }

  record(): Table['groups'] {
    const groups = [...this.#groups].map(([id, group]): [string, AddressGroup] => {
      const members = this.#members.get(id);
      return [id, members === undefined ? group : { ...group, members: [...members].sort(compareTexts) }];
    });
    return Object.fromEntries(groups);
  }
}
