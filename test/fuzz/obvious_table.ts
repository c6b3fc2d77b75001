/** The table that a frame leads to, by a reading that shares nothing with the product: plain JSON, copied and edited. */

type Json = Record<string, unknown>;

/** @param frame a snapshot or a delta that was accepted */
export function obviousTable(frame: unknown, before: unknown): unknown {
  const { type, table, delta } = frame as { type: string; table: Json; delta: Json };
  if (type === 'snapshot') return table;
  const after = structuredClone(before) as Json;
  for (const [field, change] of Object.entries(delta)) {
    if (field === 'from') continue;
    if (field === 'groups') changeGroups(after.groups as Json, change as Json);
    else if (['pods', 'namespaces', 'services'].includes(field))
      changeEntries(after[field] as Json, change as Json);
    else put(after, field, change);
  }
  return after;
}

function changeGroups(groups: Json, changes: Json): void {
  for (const [id, change] of Object.entries(changes)) {
    const { kind, group, added, removed } = change as {
      kind: string;
      group: Json;
      added: string[];
      removed: string[];
    };
    if (kind === 'removed') delete groups[id];
    else if (kind === 'set') put(groups, id, group);
    else {
      const had = groups[id] as { members: string[] };
      const left = had.members.filter((member) => !removed.includes(member));
      put(groups, id, { ...had, members: [...left, ...added].sort((a, b) => (a < b ? -1 : 1)) });
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
