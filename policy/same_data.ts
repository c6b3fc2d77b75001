/** Equality of plain data. */

import { ownEntry } from './key.ts';

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/**
 * Whether two pieces of plain data (what JSON can say) are equal, whatever the order of keys. Parts that are the same
 * object are not looked into, which makes comparing two tables of one cluster quick.
 */
export function sameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameData(a[key], b[key]));
}

/** `next`, with entries that say the same as in `previous` taken from there; `previous` itself when all do. */
export function reuseEntries<T>(
  next: Readonly<Record<string, T>>,
  previous: Readonly<Record<string, T>> | undefined,
): Readonly<Record<string, T>> {
  if (previous === undefined) return next;
  const keys = Object.keys(next);
  let reused = 0;
  const entries = keys.map((key): [string, T | undefined] => {
    const [before, after] = [ownEntry(previous, key), ownEntry(next, key)];
    if (before === undefined || !sameData(before, after)) return [key, after];
    reused += 1;
    return [key, before];
  });
  if (reused === keys.length && reused === Object.keys(previous).length) return previous;
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}
