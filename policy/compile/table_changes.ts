/**
 * What changes in tables when the cluster does, worked out from what was touched, never from whole tables. Of what the
 * cluster's groups hold it is worked out once for all tables with the same groups.
 */

import { Recent } from '../../common/recent.ts';
import { ownEntry, sortedRecord } from '../key.ts';
import type { Labels } from '../model.ts';
import type { GroupDelta, PodIdentity, TableDelta } from '../table/index.ts';
import type { Directory } from './directory.ts';
import type { Groups, LiveGroup } from './groups.ts';
import type { VirtualPorts } from './services.ts';
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

/** Ids of groups, as tables share them: the same list is the same object. */
export type GroupList = readonly string[];

/** What changes in all tables that have certain groups. */
interface GroupChanges {
  readonly groups: Readonly<Record<string, GroupDelta>>;
  readonly pods: Readonly<Record<string, PodIdentity | null>>;
  readonly namespaces: Readonly<Record<string, Labels | null>>;
}

/** Works out changes, all from the same state to the same state. */
export class ChangeMaker {
  readonly #before: Before;
  readonly #within = new Map<GroupList, GroupChanges>();
  #touchedServices: NonNullable<TableDelta['services']> | undefined;
  /** By the list after. */
  readonly #between = new Recent<GroupList, { readonly old: GroupList; readonly changes: GroupChanges }>(
    MAX_KEPT,
  );

  /** @param before what changed since; it may not change any more */
  constructor(before: Before) {
    this.#before = before;
  }

  /** What changes in a table whose shape stays. Undefined: nothing does. */
  within(shape: TableShape): TableChanges | undefined {
    const { directory, owners, labels, namespaceLabels } = this.#before;
    const shared = this.#groupsWithin(shape.groups);
    const { namespace, ips } = shape.subject;
    const own = ips.flatMap((ip): [string, PodIdentity | undefined][] => {
      const now = directory.owner(ip);
      if (now !== undefined && owners.has(ip) && owners.get(ip) !== now) return [[ip, now]];
      // Out of all groups it still is the table's own. What nobody owns any more goes with the next shape.
      return ownEntry(shared.pods, ip) === null ? [[ip, undefined]] : [];
    });
    const isRenamed = labels.has(namespace);
    const leaves = ownEntry(shared.namespaces, namespace) === null;
    return made({
      groups: shared.groups,
      pods: corrected(shared.pods, own),
      namespaces:
        isRenamed || leaves
          ? corrected(shared.namespaces, [[namespace, isRenamed ? namespaceLabels(namespace) : undefined]])
          : shared.namespaces,
      services: shape.hasServices ? this.#servicesWithin() : NOTHING,
    });
  }

  /**
   * What leads from a table of shape `old` to one of `shape`, nothing but the shape having changed since. Undefined when
   * nothing does: they are the same.
   */
  between(old: TableShape, shape: TableShape): TableChanges | undefined {
    const { directory } = this.#before;
    const shared = this.#groupsBetween(old.groups, shape.groups);
    const { namespace } = shape.subject;
    const own = [...new Set([...old.subject.ips, ...shape.subject.ips])].flatMap(
      (ip): [string, PodIdentity | null | undefined][] => {
        const had = old.subject.ips.includes(ip) || this.#isIn(old.groups, ip);
        const has = shape.subject.ips.includes(ip) || this.#isIn(shape.groups, ip);
        if (had === has) return Object.hasOwn(shared.pods, ip) ? [[ip, undefined]] : [];
        return [[ip, has ? directory.owner(ip) : null]];
      },
    );
    const isIn = Object.hasOwn(shared.namespaces, namespace);
    return made({
      ...(old.subject === shape.subject ? {} : { subject: shape.subject }),
      ...(old.ingress === shape.ingress ? {} : { ingress: shape.ingress }),
      ...(old.egress === shape.egress ? {} : { egress: shape.egress }),
      groups: shared.groups,
      pods: corrected(shared.pods, own),
      namespaces: isIn ? corrected(shared.namespaces, [[namespace, undefined]]) : shared.namespaces,
      services: this.#services(old.hasServices, shape.hasServices),
    });
  }

  #live(ids: GroupList): LiveGroup[] {
    return ids.flatMap((id) => this.#before.groups.get(id) ?? []);
  }

  #isIn(ids: GroupList, address: string): boolean {
    return this.#live(ids).some(({ members }) => members.has(address));
  }

  #groupsWithin(ids: GroupList): GroupChanges {
    const known = this.#within.get(ids);
    if (known !== undefined) return known;
    const { directory, owners, labels, namespaceLabels, groups: all } = this.#before;
    const groups = this.#live(ids);
    const touched = groups.filter((group) => all.touched.has(group));
    const pods: [string, PodIdentity | null][] = [];
    for (const address of union(touched.map((group) => group.touched))) {
      const had = groups.some((group) => group.had(address));
      const has = groups.some((group) => group.members.has(address));
      const now = directory.owner(address);
      const before = owners.has(address) ? owners.get(address) : now;
      if (has && now !== undefined && !(had && before === now)) pods.push([address, now]);
      else if (had && !has) pods.push([address, null]);
    }
    const namespaces: [string, Labels | null][] = [];
    for (const name of union([labels.keys(), ...touched.map((group) => group.touchedNamespaces)])) {
      const had = groups.some((group) => group.hadNamespace(name));
      const has = groups.some((group) => group.hasNamespace(name));
      if (has && (!had || labels.has(name))) namespaces.push([name, namespaceLabels(name)]);
      else if (had && !has) namespaces.push([name, null]);
    }
    const deltas = touched.flatMap((group): [string, GroupDelta][] => {
      const delta = group.delta();
      return delta === undefined ? [] : [[group.id, delta]];
    });
    const changes = { groups: record(deltas), pods: record(pods), namespaces: record(namespaces) };
    this.#within.set(ids, changes);
    return changes;
  }

  #groupsBetween(old: GroupList, ids: GroupList): GroupChanges {
    if (old === ids) return NO_CHANGES;
    const known = this.#between.get(ids);
    if (known?.old === old) return known.changes;
    const { directory, namespaceLabels } = this.#before;
    const [before, after] = [this.#live(old), this.#live(ids)];
    const [was, is] = [new Set(before), new Set(after)];
    const added = after.filter((group) => !was.has(group));
    const removed = before.filter((group) => !is.has(group));
    const members = (group: LiveGroup) => group.members;
    const namespacesOf = (group: LiveGroup) => group.namespaces;
    const pods: [string, PodIdentity | null][] = [];
    for (const address of onlyIn(removed.map(members), after.map(members))) pods.push([address, null]);
    for (const address of onlyIn(added.map(members), before.map(members)))
      pods.push([address, directory.owner(address) ?? null]);
    const namespaces: [string, Labels | null][] = [];
    for (const name of onlyIn(removed.map(namespacesOf), after.map(namespacesOf)))
      namespaces.push([name, null]);
    for (const name of onlyIn(added.map(namespacesOf), before.map(namespacesOf)))
      namespaces.push([name, namespaceLabels(name)]);
    const deltas = [
      ...added.map((group): [string, GroupDelta] => [group.id, { kind: 'set', group: group.group }]),
      ...removed.map((group): [string, GroupDelta] => [group.id, { kind: 'removed' }]),
    ];
    const changes = { groups: record(deltas), pods: record(pods), namespaces: record(namespaces) };
    return this.#between.keep(ids, { old, changes }).changes;
  }

  /** The same for all tables that have Services. What has come and gone again is no change. */
  #servicesWithin(): NonNullable<TableDelta['services']> {
    const { virtualPorts } = this.#before;
    if (!virtualPorts.isTouched) return NOTHING;
    this.#touchedServices ??= record(Object.entries(virtualPorts.delta()));
    return this.#touchedServices;
  }

  #services(had: boolean, has: boolean): NonNullable<TableDelta['services']> {
    if (had === has) return NOTHING;
    const entries = Object.entries(this.#before.virtualPorts.record);
    if (entries.length === 0) return NOTHING;
    return has ? this.#before.virtualPorts.record : Object.fromEntries(entries.map(([key]) => [key, null]));
  }
}

/** Changes between lists of groups that are kept: each may be as large as a table. */
const MAX_KEPT = 8;

/** The record of changes that holds none: it is told by being this one, for to look into a large one is not free. */
const NOTHING: Readonly<Record<string, never>> = {};

const NO_CHANGES: GroupChanges = { groups: NOTHING, pods: NOTHING, namespaces: NOTHING };

function record<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  return entries.length === 0 ? NOTHING : sortedRecord(entries);
}

function union(sets: Iterable<Iterable<string>>): Set<string> {
  const all = new Set<string>();
  for (const set of sets) for (const item of set) all.add(item);
  return all;
}

/** What is in some of the first and in none of the others. Costs no more than all of them hold. */
function onlyIn(some: readonly Members[], others: readonly Members[]): Set<string> {
  // Where there are many most are in the largest.
  const largest = others.reduce<Members>((most, other) => (other.size > most.size ? other : most), new Set());
  const found = new Set<string>();
  for (const one of some) for (const item of one.keys()) if (!largest.has(item)) found.add(item);
  for (const other of others) {
    if (found.size === 0) break;
    if (other.size < found.size) for (const item of other.keys()) found.delete(item);
    else for (const item of found) if (other.has(item)) found.delete(item);
  }
  return found;
}

/** A set, or the keys of a map. */
type Members = Pick<ReadonlyMap<string, unknown>, 'has' | 'keys' | 'size'>;

/** A record with entries of one table's own in place of what all have there; undefined: none. Without any the same record. */
function corrected<T>(
  shared: Readonly<Record<string, T>>,
  own: readonly (readonly [string, T | undefined])[],
): Readonly<Record<string, T>> {
  if (own.length === 0) return shared;
  const entries = new Map(Object.entries(shared));
  for (const [key, value] of own) {
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
  }
  return record([...entries]);
}

/** Changes without the parts that hold none; undefined where none is left. */
function made(changes: TableChanges): TableChanges | undefined {
  const parts = Object.entries(changes).filter(([, part]) => part !== NOTHING);
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}
