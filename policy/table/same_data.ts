/** Equality of plain data. */

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/**
 * Whether two pieces of plain data (what JSON can say) are equal. The order of keys does not matter. Parts that are the same
 * object are not looked into, which makes comparing two tables of one cluster quick.
 */
export function sameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => sameData(item, b[index]));
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameData(a[key], b[key]));
}

/** Compares data that many things share: two objects are looked into once. They may not change. */
export class Comparisons {
  readonly #known = new WeakMap<object, WeakMap<object, boolean>>();

  same(a: object, b: object): boolean {
    if (a === b) return true;
    const known = this.#known.get(a) ?? new WeakMap<object, boolean>();
    this.#known.set(a, known);
    const same = known.get(b) ?? sameData(a, b);
    known.set(b, same);
    return same;
  }
}
