/** What changes in one pod's table when the cluster does, worked out from what was touched, never from the whole table. */

import type { Directory } from './directory.ts';
import type { Groups, LiveGroup } from './groups.ts';
import { sortedRecord } from './key.ts';
import type { Labels } from './model.ts';
import type { VirtualPorts } from './services.ts';
import type { GroupDelta, PodIdentity, TableDelta } from './table.ts';
import type { TableShape } from './table_shape.ts';

/** A delta without its revisions. Parts that several tables have in common are the same objects in all of them. */
export type TableChanges = Omit<TableDelta, 'schema' | 'from' | 'revision'>;

/** The cluster as it is, with how the parts of it that have changed were before. */
export interface Before {
  readonly directory: Directory;
  readonly groups: Groups;
  readonly virtualPorts: VirtualPorts;
  readonly namespaceLabels: (name: string) => Labels;
  /** Owners of addresses that have changed since. */
  readonly owners: ReadonlyMap<string, PodIdentity | undefined>;
  /** Labels of namespaces that have changed since. */
  readonly labels: ReadonlyMap<string, Labels>;
}

/** The groups of a table before and after, and those of them that are not in both. */
interface TableGroups {
  readonly before: readonly LiveGroup[];
  readonly after: readonly LiveGroup[];
  readonly added: readonly LiveGroup[];
  readonly removed: readonly LiveGroup[];
  /** In both, and touched. */
  readonly touched: readonly LiveGroup[];
}

function tableGroups(old: TableShape, shape: TableShape, { groups }: Before): TableGroups {
  const live = (ids: readonly string[]) => ids.flatMap((id) => groups.get(id) ?? []);
  const [before, after] = [live(old.groups), old.groups === shape.groups ? undefined : live(shape.groups)];
  const isTouched = (group: LiveGroup) => groups.touched.has(group);
  if (after === undefined)
    return { before, after: before, added: [], removed: [], touched: before.filter(isTouched) };
  const [was, is] = [new Set(before), new Set(after)];
  return {
    before,
    after,
    added: after.filter((group) => !was.has(group)),
    removed: before.filter((group) => !is.has(group)),
    touched: after.filter((group) => was.has(group) && isTouched(group)),
  };
}

function groupChanges({ added, removed, touched }: TableGroups): Record<string, GroupDelta> {
  const changes: [string, GroupDelta][] = [];
  for (const group of added) changes.push([group.id, { kind: 'set', group: group.group }]);
  for (const group of removed) changes.push([group.id, { kind: 'removed' }]);
  for (const group of touched) {
    const delta = group.delta();
    if (delta !== undefined) changes.push([group.id, delta]);
  }
  return sortedRecord(changes);
}

/** Addresses and namespaces that members of the groups may have brought or taken away. */
function candidates(
  { added, removed, touched }: TableGroups,
  all: (group: LiveGroup) => Iterable<string>,
  some: (group: LiveGroup) => Iterable<string>,
): Set<string> {
  const found = new Set<string>();
  for (const group of [...added, ...removed]) for (const item of all(group)) found.add(item);
  for (const group of [...removed, ...touched]) for (const item of some(group)) found.add(item);
  return found;
}

function podChanges(
  old: TableShape,
  shape: TableShape,
  groups: TableGroups,
  { directory, owners }: Before,
): Record<string, PodIdentity | null> {
  const addresses = candidates(
    groups,
    (group) => group.members,
    (group) => group.touched,
  );
  for (const ip of [...old.subject.ips, ...shape.subject.ips]) addresses.add(ip);
  const changes: [string, PodIdentity | null][] = [];
  for (const address of addresses) {
    const had = old.subject.ips.includes(address) || groups.before.some((group) => group.had(address));
    const has =
      shape.subject.ips.includes(address) || groups.after.some((group) => group.members.has(address));
    const now = directory.owner(address);
    const before = owners.has(address) ? owners.get(address) : now;
    if (has && now !== undefined && !(had && before === now)) changes.push([address, now]);
    else if (had && !has) changes.push([address, null]);
  }
  return sortedRecord(changes);
}

function namespaceChanges(
  { subject }: TableShape,
  groups: TableGroups,
  { namespaceLabels, labels }: Before,
): Record<string, Labels | null> {
  const names = candidates(
    groups,
    (group) => group.namespaces,
    (group) => group.touchedNamespaces,
  );
  for (const name of labels.keys()) names.add(name);
  const changes: [string, Labels | null][] = [];
  for (const name of names) {
    const isOwn = name === subject.namespace;
    const had = isOwn || groups.before.some((group) => group.hadNamespace(name));
    const has = isOwn || groups.after.some((group) => group.hasNamespace(name));
    if (has && (!had || labels.has(name))) changes.push([name, namespaceLabels(name)]);
    else if (had && !has) changes.push([name, null]);
  }
  return sortedRecord(changes);
}

function serviceChanges(
  old: TableShape,
  shape: TableShape,
  { virtualPorts }: Before,
): NonNullable<TableDelta['services']> {
  if (old.hasServices && shape.hasServices) return virtualPorts.delta();
  if (shape.hasServices) return virtualPorts.record;
  return old.hasServices ? sortedRecord(virtualPorts.keysBefore().map((key) => [key, null])) : {};
}

/** What leads from a table of shape `old` to one of `shape`. Undefined when nothing does: they are the same. */
export function tableChanges(old: TableShape, shape: TableShape, before: Before): TableChanges | undefined {
  const live = tableGroups(old, shape, before);
  const groups = groupChanges(live);
  const pods = podChanges(old, shape, live, before);
  const namespaces = namespaceChanges(shape, live, before);
  const services = serviceChanges(old, shape, before);
  const changes: TableChanges = {
    ...(old.subject === shape.subject ? {} : { subject: shape.subject }),
    ...(old.ingress === shape.ingress ? {} : { ingress: shape.ingress }),
    ...(old.egress === shape.egress ? {} : { egress: shape.egress }),
    ...(isEmpty(groups) ? {} : { groups }),
    ...(isEmpty(pods) ? {} : { pods }),
    ...(isEmpty(namespaces) ? {} : { namespaces }),
    ...(isEmpty(services) ? {} : { services }),
  };
  return isEmpty(changes) ? undefined : changes;
}

function isEmpty(record: object): boolean {
  for (const _ in record) return false;
  return true;
}
