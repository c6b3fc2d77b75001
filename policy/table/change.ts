/** What changes in a group is worked out, and a change of a table is applied. Both cost what has changed, not what there is. */

import { SluiceError } from '../../common/errors.ts';
import type { PersistentMap } from '../../common/persistent_map.ts';
import {
  type GroupChange,
  groupJson,
  groupOf,
  inOrder,
  policyOf,
  type TableChange,
  tableWith,
} from './form.ts';
import { sameData } from './same_data.ts';
import type { AddressGroup, PolicyRules, Table, TableGroups } from './table.ts';

/** A table that a change has led to. */
export interface Applied {
  readonly table: Table;
  /**
   * The addresses whose verdict or owner may be another; undefined: any address. It may name too many, never too few: only where
   * nothing but members of groups changes is the answer a list.
   */
  readonly touched: ReadonlySet<string> | undefined;
}

function malformed(problem: string): SluiceError {
  const advice = 'ask for a snapshot';
  return new SluiceError('TABLE_MALFORMED', `the change does not fit the table: ${problem}; ${advice}`);
}

/** What a list of entries changes, once it is known that each fits. */
function* fitting<J, V>(
  what: string,
  known: { has(key: string): boolean },
  changes: Readonly<Record<string, J | null>>,
  made: (value: J) => V,
): Generator<readonly [string, V | undefined], void, void> {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null && !known.has(key)) throw malformed(`there is no ${what} "${key}" to remove`);
    yield [key, value === null ? undefined : made(value)];
  }
}

function same<T>(value: T): T {
  return value;
}

/** A map that never changes. */
interface Persistent<V, M> {
  has(key: string): boolean;
  with(changes: Iterable<readonly [string, V | undefined]>): M;
}

function changedMap<V, M extends Persistent<V, M>>(
  what: string,
  map: M,
  changes: Readonly<Record<string, V | null>> | undefined,
): M {
  return changes === undefined ? map : map.with(fitting(what, map, changes, same));
}

/** A copy of a map with changes made. */
function changedEntries<J, V>(
  what: string,
  map: ReadonlyMap<string, V>,
  changes: Readonly<Record<string, J | null>>,
  made: (value: J, key: string) => V,
): Map<string, V> {
  const copy = new Map(map);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null && !copy.delete(key)) throw malformed(`there is no ${what} "${key}" to remove`);
    if (value !== null) copy.set(key, made(value, key));
  }
  return copy;
}

function changedGroup(id: string, known: AddressGroup | undefined, change: GroupChange): AddressGroup {
  if (change.group !== undefined) return groupOf(change.group);
  if (known === undefined) throw malformed(`there is no group "${id}"`);
  const members = changedMap(`member of group "${id}"`, known.members, change.members);
  if (change.ports === undefined) return { ...known, members };
  if (known.ports === undefined) throw malformed(`group "${id}" has no ports`);
  return { ...known, members, ports: changedMap(`member of group "${id}"`, known.ports, change.ports) };
}

/** Refuses rules whose group is missing: such a rule would silently admit nothing. */
function requireGroups(policies: Iterable<PolicyRules>, groups: TableGroups): void {
  for (const { ingress = [], egress = [] } of policies) {
    for (const { peers } of [...ingress, ...egress]) {
      for (const peer of peers) {
        if (peer.kind === 'group' && !groups.has(peer.group))
          throw malformed(`a rule asks for group "${peer.group}", which is missing`);
      }
    }
  }
}

/** Refuses a `subject` of another pod: that pod's addresses, node and ports would count as this pod's own. */
function requireSamePod(subject: Table['subject'], { namespace, name }: Table['subject']): void {
  if (subject.namespace === namespace && subject.name === name) return;
  throw malformed(`it is for ${subject.namespace}/${subject.name}, the table is of ${namespace}/${name}`);
}

/**
 * The table that a change leads to. Parts that the change does not touch are the same objects as before. Throws TABLE_GAP when
 * the change continues another revision, TABLE_MALFORMED when it does not fit; the table given is never changed, so a refused
 * change leaves nothing behind.
 */
export function applyChange(table: Table, change: TableChange): Applied {
  if (change.from !== table.revision) {
    const gap = `the change continues revision ${change.from}, but ${table.revision} is in force`;
    throw new SluiceError('TABLE_GAP', `${gap}: ask for a snapshot`);
  }
  const { revision, subject = table.subject } = change;
  requireSamePod(subject, table.subject);
  const policies =
    change.policies === undefined
      ? table.policies
      : inOrder(changedEntries('policy', table.policies, change.policies, policyOf));
  const groups =
    change.groups === undefined
      ? table.groups
      : changedEntries('group', table.groups, change.groups, (one: GroupChange, id) =>
          changedGroup(id, table.groups.get(id), one),
        );
  const services = changedMap('virtual port', table.services, change.services);
  if (change.policies !== undefined || Object.values(change.groups ?? {}).includes(null))
    requireGroups(policies.values(), groups);
  const parts = { revision, subject, policies, groups, services };
  const after =
    change.policies === undefined ? { ...table, ...parts } : tableWith(keeping(table, parts), table);
  return { table: after, touched: touchedBy(change) };
}

/** Policies that say the same as before are the same objects. */
function keeping<T extends Pick<Table, 'policies'>>({ policies }: Table, parts: T): T {
  const kept = [...parts.policies].map(([key, one]): [string, PolicyRules] => {
    const known = policies.get(key);
    return [key, known !== undefined && sameData(known, one) ? known : one];
  });
  return { ...parts, policies: new Map(kept) };
}

function touchedBy(change: TableChange): ReadonlySet<string> | undefined {
  const { subject, policies, services, groups = {} } = change;
  if (subject ?? policies ?? services) return undefined;
  const touched = new Set<string>();
  for (const one of Object.values(groups)) {
    if (one?.members === undefined) return undefined;
    for (const address of Object.keys(one.members)) touched.add(address);
    for (const address of Object.keys(one.ports ?? {})) touched.add(address);
  }
  return touched;
}

/** What leads from one form of a group to another; undefined where they say the same. */
export function groupChange(before: AddressGroup | undefined, after: AddressGroup): GroupChange | undefined {
  if (before === after) return undefined;
  if (before === undefined || before.partial !== after.partial) return { group: groupJson(after) };
  if ((before.ports === undefined) !== (after.ports === undefined)) return { group: groupJson(after) };
  const members = differences(before.members, after.members);
  const ports = after.ports === undefined ? {} : differences(before.ports, after.ports);
  const changed = Object.keys(members).length + Object.keys(ports).length;
  if (changed === 0) return undefined;
  // A difference that is as long as the list saves nothing.
  if (changed >= after.members.size) return { group: groupJson(after) };
  return { members, ...(Object.keys(ports).length === 0 ? {} : { ports }) };
}

/** Entries of a map that came, went, or are others. */
function differences<V>(
  before: PersistentMap<V> | undefined,
  after: PersistentMap<V>,
): Readonly<Record<string, V | null>> {
  const changed: [string, V | null][] = [];
  for (const [key, , now] of after.since(before)) changed.push([key, now ?? null]);
  return Object.fromEntries(changed);
}
