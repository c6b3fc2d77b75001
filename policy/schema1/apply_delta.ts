/** Applying a delta to a table. */

import { SluiceError, unreachable } from '../../common/errors.ts';
import { compareTexts, ownEntry } from '../key.ts';
import { strayMemberAfter } from './membership.ts';
import {
  type AddressGroupV1,
  type DirectionTableV1,
  type GroupDeltaV1,
  SCHEMA_1,
  type TableDeltaV1,
  type TableV1,
} from './table.ts';

type Entries<T> = Readonly<Record<string, T>>;

function malformed(problem: string): SluiceError {
  return new SluiceError(
    'TABLE_MALFORMED',
    `the delta does not fit the table: ${problem}; ask for a snapshot`,
  );
}

function applyMembers(
  id: string,
  group: AddressGroupV1,
  added: readonly string[],
  removed: readonly string[],
) {
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

function applyGroup(
  id: string,
  group: AddressGroupV1 | undefined,
  change: GroupDeltaV1,
): AddressGroupV1 | null {
  if (change.kind === 'set') return change.group;
  if (group === undefined) throw malformed(`there is no group "${id}"`);
  switch (change.kind) {
    case 'members':
      return applyMembers(id, group, change.added, change.removed);
    case 'removed':
      return null;
    default:
      return unreachable(change);
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
function requireGroups(direction: DirectionTableV1, groups: TableV1['groups']): void {
  for (const { peers } of direction.rules) {
    for (const peer of peers) {
      if (peer.kind === 'group' && !Object.hasOwn(groups, peer.group)) {
        throw malformed(`a rule asks for group "${peer.group}", which is missing`);
      }
    }
  }
}

/** Refuses a `subject` of another pod: that pod's addresses, node and ports would count as this pod's own. */
function requireSamePod(subject: TableV1['subject'], { namespace, name }: TableV1['subject']): void {
  if (subject.namespace === namespace && subject.name === name) return;
  throw malformed(`it is for ${subject.namespace}/${subject.name}, the table is of ${namespace}/${name}`);
}

/**
 * The table a delta leads to. Parts the delta does not touch are the same objects as before, which keeps their
 * indexes. Throws TABLE_GAP when the delta continues another revision, TABLE_MALFORMED when it does not fit; the
 * table given is never changed, so a refused delta leaves nothing behind.
 */
export function applyDelta(table: TableV1, delta: TableDeltaV1): TableV1 {
  if (delta.from !== table.revision) {
    const gap = `the delta continues revision ${delta.from}, but ${table.revision} is in force`;
    throw new SluiceError('TABLE_GAP', `${gap}: ask for a snapshot`);
  }
  const { subject = table.subject, ingress = table.ingress, egress = table.egress } = delta;
  const groupChanges = Object.entries(delta.groups ?? {}).map(
    ([id, change]): [string, AddressGroupV1 | null] => [
      id,
      applyGroup(id, ownEntry(table.groups, id), change),
    ],
  );
  const groups = delta.groups === undefined ? table.groups : applyEntries(table.groups, groupChanges);
  if (delta.groups !== undefined || delta.ingress !== undefined) requireGroups(ingress, groups);
  if (delta.groups !== undefined || delta.egress !== undefined) requireGroups(egress, groups);
  requireSamePod(subject, table.subject);
  const after: TableV1 = {
    schema: SCHEMA_1,
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
  const stray = strayMemberAfter(table, delta, after);
  if (stray !== undefined)
    throw malformed(`group "${stray.group}" does not select its member ${stray.address}`);
  return after;
}
