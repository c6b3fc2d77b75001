/** The table that a frame leads to, by a reading that shares nothing with the product: plain JSON, copied and edited. */
import { createHash } from 'node:crypto';

type Json = Record<string, unknown>;

/**
 * @param frame a snapshot, a change or an outline that was accepted
 * @param before the table in force, as JSON says it
 */
export function obviousTable(frame: unknown, before: unknown): unknown {
  const { type, table, change, outline } = frame as { type: string } & Record<string, Json>;
  if (type === 'snapshot') return { ...table, services: joined((table as Json).services) };
  if (type === 'outline') return filledIn(outline as Json, (before ?? {}) as Json);
  const after = structuredClone(before) as Json;
  for (const [field, value] of Object.entries(change ?? {})) {
    if (field === 'from') continue;
    if (field === 'groups') changeGroups(after.groups as Json, value as Json);
    else if (field === 'services') changeEntries(after.services as Json, joined(value));
    else if (field === 'policies') changeEntries(after.policies as Json, value as Json);
    else put(after, field, value);
  }
  return after;
}

/** Services come as one record, or in parts. */
function joined(services: unknown): Json {
  const all: Json = {};
  for (const part of Array.isArray(services) ? services : [services])
    for (const [key, value] of Object.entries(part as Json)) put(all, key, value);
  return all;
}

function changeGroups(groups: Json, changes: Json): void {
  for (const [id, change] of Object.entries(changes)) {
    const { group, members, ports } = (change ?? {}) as { group?: Json; members?: Json; ports?: Json };
    if (change === null) delete groups[id];
    else if (group !== undefined) put(groups, id, group);
    else {
      const had = groups[id] as { members: Json; ports?: Json };
      changeEntries(had.members, members ?? {});
      if (had.ports !== undefined) changeEntries(had.ports, ports ?? {});
    }
  }
}

function changeEntries(record: Json, changes: Json): void {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete record[key];
    else put(record, key, value);
  }
}

/** Defines, so that `__proto__` is a key like any other. */
function put(record: Json, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

/** An outline with the parts of a table in place of their digests. */
function filledIn({ policies, groups, services, ...others }: Json, before: Json): Json {
  const filled = (now: unknown, held: unknown, text: (part: Json) => string): Json =>
    Object.fromEntries(
      Object.entries(now as Json).map(([key, part]) => {
        const found = Object.values((held ?? {}) as Json).find((one) => part === digest(text(one as Json)));
        return [key, typeof part === 'string' ? found : part];
      }),
    );
  return {
    ...others,
    policies: filled(policies, before.policies, (policy) => JSON.stringify(policy)),
    groups: filled(groups, before.groups, ({ members, ports, ...test }) =>
      JSON.stringify([test, digests(members), ports === undefined ? null : digests(ports)]),
    ),
    // The tables here are small: their Services are one shard.
    services: joined(
      (services as unknown[]).map((part) => (typeof part === 'string' ? before.services : part)),
    ),
  };
}

/** Of all entries at once, since there are few; none of none. */
function digests(record: unknown): string[] {
  const entries = Object.entries(record as Json).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [digest(JSON.stringify(entries))];
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
