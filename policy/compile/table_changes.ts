/** What changes in tables when the cluster does: its form, and how parts of it are put together. */

import { sortedRecord } from '../key.ts';
import type { Labels } from '../model.ts';
import type { GroupDelta, PodIdentity, TableDelta } from '../table/index.ts';

/** A delta without its revisions. Parts that several tables have in common are the same objects in all of them. */
export type TableChanges = Omit<TableDelta, 'schema' | 'from' | 'revision'>;

/** What changes in the virtual ports of a table. */
export type ServiceChanges = NonNullable<TableDelta['services']>;

/** Ids of groups, as tables share them: the same list is the same object. */
export type GroupList = readonly string[];

/** What changes in all tables that have certain groups. */
export interface GroupChanges {
  readonly groups: Readonly<Record<string, GroupDelta>>;
  readonly pods: Readonly<Record<string, PodIdentity | null>>;
  readonly namespaces: Readonly<Record<string, Labels | null>>;
}

/** The record without changes. It is recognised by identity, because looking into a large record takes time. */
export const NOTHING: Readonly<Record<string, never>> = {};

/** What changes where no group does. */
export const NO_CHANGES: GroupChanges = { groups: NOTHING, pods: NOTHING, namespaces: NOTHING };

/** A record of changes; `NOTHING` where there are none. */
export function record<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  return entries.length === 0 ? NOTHING : sortedRecord(entries);
}

/**
 * A shared record of changes with some entries replaced for one table; undefined leaves an entry out. The same record where
 * nothing is replaced.
 */
export function corrected<T>(
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
export function made(changes: TableChanges): TableChanges | undefined {
  const parts = Object.entries(changes).filter(([, part]) => part !== NOTHING);
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}
