/** Keys and look-ups of records whose keys come from outside. */

/** The key of a namespaced object: `namespace/name`. Neither part can contain a slash. */
export function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** A record's own entry: never what `Object.prototype` holds, so that a label may be called `constructor`. */
export function ownEntry<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Orders texts by code unit: the same on every machine and in every locale. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A copy with its keys in order, so that equal records have equal JSON. Safe for any key, `__proto__` included. */
export function sortedRecord<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareTexts(a, b)));
}
