/** A map with a bound, for what is wanted again soon and can be had again: the oldest entry makes room for the newest. */

/**
 * Keeps a number of things by key. The one that was kept longest goes first; looking at it does not make it younger, keeping
 * it again does. Every call takes constant time, however many there are.
 */
export class Recent<K, V> {
  readonly #most: number;
  readonly #kept = new Map<K, V>();
  /**
   * Goes along the keys from the oldest on. One iterator for good: a new one would step over all that were deleted since the
   * map last grew, which makes every call as long as the map.
   */
  #order = this.#kept.keys();
  /** The oldest key, where the iterator has passed it. */
  #oldest: { readonly key: K } | undefined;

  /** @param most how many are kept; one at least */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(key: K): V | undefined {
    return this.#kept.get(key);
  }

  /** The oldest first. */
  values(): IterableIterator<V> {
    return this.#kept.values();
  }

  has(key: K): boolean {
    return this.#kept.has(key);
  }

  /** Keeps a value as the newest, and returns it. */
  keep(key: K, value: V): V {
    this.delete(key);
    this.#kept.set(key, value);
    const oldest = this.#kept.size > this.#most ? this.#findOldest() : undefined;
    if (oldest !== undefined) this.delete(oldest.key);
    return value;
  }

  delete(key: K): void {
    if (this.#oldest?.key === key) this.#oldest = undefined;
    this.#kept.delete(key);
  }

  /** Drops the oldest for as long as `isOver` says so of it: for what is of use for a time only. */
  dropWhile(isOver: (value: V) => boolean): void {
    for (let oldest = this.#findOldest(); oldest !== undefined; oldest = this.#findOldest()) {
      const value = this.#kept.get(oldest.key);
      if (value !== undefined && !isOver(value)) return;
      this.delete(oldest.key);
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#order = this.#kept.keys();
    this.#oldest = undefined;
  }

  #findOldest(): { readonly key: K } | undefined {
    if (this.#oldest !== undefined) return this.#oldest;
    const next = this.#order.next();
    if (next.done === true) {
      // All that it has passed is deleted, so the map is empty. An iterator that has ended stays so: the next goes by another.
      this.#order = this.#kept.keys();
      return undefined;
    }
    this.#oldest = { key: next.value };
    return this.#oldest;
  }
}
