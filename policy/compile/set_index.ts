/** Many small sets by key. */

const NONE: ReadonlySet<never> = new Set<never>();

/** Sets by key; a set that becomes empty is gone. */
export class SetIndex<T> {
  readonly #sets = new Map<string, Set<T>>();

  get isEmpty(): boolean {
    return this.#sets.size === 0;
  }

  /** The set of a key; empty where there is none. */
  get(key: string): ReadonlySet<T> {
    return this.#sets.get(key) ?? NONE;
  }

  add(key: string, item: T): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([item]));
    else set.add(item);
  }

  delete(key: string, item: T): void {
    const set = this.#sets.get(key);
    if (set?.delete(item) && set.size === 0) this.#sets.delete(key);
  }
}
