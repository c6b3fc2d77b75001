/** The difference of two tables of one pod, and applying it. */

import { SluiceError } from './errors.ts';
import { compareTexts, ownEntry } from './key.ts';
import { sameData } from './same_data.ts';
import {
  type AddressGroup,
  type DirectionTable,
  type GroupDelta,
  TABLE_SCHEMA,
  type Table,
  type TableDelta,
} from './table.ts';

type Entries<T> = Readonly<Record<string, T>>;

/** Record differences outlive a diff: the directory is the same object in the tables of all pods. */
const knownDiffs = new WeakMap<object, WeakMap<object, Entries<unknown>>>();

/** The entries that differ; `null` for removed ones. Both records must be immutable. */
function diffEntries<T>(before: Entries<T>, after: Entries<T>): Entries<T | null> {
  if (before === after) return {};
  const changes: [string, T | null][] = [];
  for (const [key, value] of Object.entries(after)) {
    if (!sameData(ownEntry(before, key), value)) changes.push([key, value]);
  }
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) changes.push([key, null]);
  }
  return Object.fromEntries(changes);
}

function sharedDiff<T>(before: Entries<T>, after: Entries<T>): Entries<T | null> {
  const known = knownDiffs.get(before)?.get(after);
  // Same two objects, so the same types as when it was made.
  if (known !== undefined) return known as Entries<T | null>;
  const made = diffEntries(before, after);
  const byAfter = knownDiffs.get(before) ?? new WeakMap<object, Entries<unknown>>();
  knownDiffs.set(before, byAfter.set(after, made));
  return made;
}

function diffGroup(before: AddressGroup | undefined, after: AddressGroup): GroupDelta | undefined {
  if (before === undefined) return { kind: 'set', group: after };
  if (before === after) return undefined;
  const { members: oldMembers, ...oldSelectors } = before;
  const { members: newMembers, ...newSelectors } = after;
  if (!sameData(oldSelectors, newSelectors)) return { kind: 'set', group: after };
  const [oldSet, newSet] = [new Set(oldMembers), new Set(newMembers)];
  const added = newMembers.filter((member) => !oldSet.has(member));
  const removed = oldMembers.filter((member) => !newSet.has(member));
  if (added.length + removed.length === 0) return undefined;
  // A difference as long as the list is no gain.
  if (added.length + removed.length >= newMembers.length) return { kind: 'set', group: after };
  return { kind: 'members', added, removed };
}

function diffGroups(before: Table['groups'], after: Table['groups']): Entries<GroupDelta> {
  const changes: [string, GroupDelta][] = [];
  for (const [id, group] of Object.entries(after)) {
    const change = diffGroup(ownEntry(before, id), group);
    if (change !== undefined) changes.push([id, change]);
  }
  for (const id of Object.keys(before)) {
    if (!Object.hasOwn(after, id)) changes.push([id, { kind: 'removed' }]);
  }
  return Object.fromEntries(changes);
}

/** What changed from one table of a pod to the next. Undefined when nothing did but the revision. */
export function diffTables(before: Table, after: Table): TableDelta | undefined {
  const groups = diffGroups(before.groups, after.groups);
  const pods = sharedDiff(before.pods, after.pods);
  const namespaces = sharedDiff(before.namespaces, after.namespaces);
  const services = sharedDiff(before.services, after.services);
  const changes = {
    ...(sameData(before.subject, after.subject) ? {} : { subject: after.subject }),
    ...(sameData(before.ingress, after.ingress) ? {} : { ingress: after.ingress }),
    ...(sameData(before.egress, after.egress) ? {} : { egress: after.egress }),
    ...(Object.keys(groups).length === 0 ? {} : { groups }),
    ...(Object.keys(pods).length === 0 ? {} : { pods }),
    ...(Object.keys(namespaces).length === 0 ? {} : { namespaces }),
    ...(Object.keys(services).length === 0 ? {} : { services }),
  };
  if (Object.keys(changes).length === 0) return undefined;
  return { schema: TABLE_SCHEMA, from: before.revision, revision: after.revision, ...changes };
}

function malformed(problem: string): SluiceError {
  return new SluiceError(
    'TABLE_MALFORMED',
    `the delta does not fit the table: ${problem}; ask for a snapshot`,
  );
}

function applyMembers(id: string, group: AddressGroup, added: readonly string[], removed: readonly string[]) {
  const members = new Set(group.members);
  for (const member of removed) {
    if (!members.delete(member)) throw malformed(`${member} is not in group "${id}"`);
  }
  for (const member of added) {
    if (members.has(member)) throw malformed(`${member} is in group "${id}" already`);
    members.add(member);
  }
  return { ...group, members: [...members].sort(compareTexts) };
}

function applyGroup(id: string, group: AddressGroup | undefined, change: GroupDelta): AddressGroup | null {
  if (change.kind === 'set') return change.group;
  if (group === undefined) throw malformed(`there is no group "${id}"`);
  switch (change.kind) {
    case 'members':
      return applyMembers(id, group, change.added, change.removed);
    case 'removed':
      return null;
    default:
      return change satisfies never;
  }
}

/** A copy of a record with changes made. A spread and `defineProperty` take any key, `__proto__` included. */
function applyEntries<T>(record: Entries<T>, changes: Iterable<[string, T | null]>): Entries<T> {
  const copy: Record<string, T> = { ...record };
  for (const [key, value] of changes) {
    if (value !== null) {
      Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
    } else if (Object.hasOwn(copy, key)) {
      delete copy[key];
    } else {
      throw malformed(`there is no entry "${key}" to remove`);
    }
  }
  return copy;
}

/** Refuses rules whose group is missing: such a rule would silently admit nothing. */
function requireGroups(direction: DirectionTable, groups: Table['groups']): void {
  for (const { peers } of direction.rules) {
    for (const peer of peers) {
      if (peer.kind === 'group' && !Object.hasOwn(groups, peer.group)) {
        throw malformed(`a rule asks for group "${peer.group}", which is missing`);
      }
    }
  }
}

/**
 * The table a delta leads to. Parts the delta does not touch are the same objects as before, which keeps their
 * indexes. Throws TABLE_GAP when the delta continues another revision, TABLE_MALFORMED when it does not fit; the
 * table given is never changed, so a refused delta leaves nothing behind.
 */
export function applyDelta(table: Table, delta: TableDelta): Table {
  if (delta.from !== table.revision) {
    const gap = `the delta continues revision ${delta.from}, but ${table.revision} is in force`;
    throw new SluiceError('TABLE_GAP', `${gap}: ask for a snapshot`);
  }
  const { subject = table.subject, ingress = table.ingress, egress = table.egress } = delta;
  const groupChanges = Object.entries(delta.groups ?? {}).map(
    ([id, change]): [string, AddressGroup | null] => [id, applyGroup(id, ownEntry(table.groups, id), change)],
  );
  const groups = delta.groups === undefined ? table.groups : applyEntries(table.groups, groupChanges);
  if (delta.groups !== undefined || delta.ingress !== undefined) requireGroups(ingress, groups);
  if (delta.groups !== undefined || delta.egress !== undefined) requireGroups(egress, groups);
  return {
    schema: TABLE_SCHEMA,
    revision: delta.revision,
    subject,
    ingress,
    egress,
    groups,
    pods: delta.pods === undefined ? table.pods : applyEntries(table.pods, Object.entries(delta.pods)),
    namespaces:
      delta.namespaces === undefined
        ? table.namespaces
        : applyEntries(table.namespaces, Object.entries(delta.namespaces)),
    services:
      delta.services === undefined
        ? table.services
        : applyEntries(table.services, Object.entries(delta.services)),
  };
}
