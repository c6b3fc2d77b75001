/** A map whose entries end by themselves, bounded in number: what was set first goes first. */

interface Entry<V> {
  readonly value: V;
  readonly endsAtMs: number;
}

/** Remembers for a while. Times are of the monotonic clock. */
export class ExpiringMap<K, V> {
  readonly #maxSize: number;
  readonly #entries = new Map<K, Entry<V>>();

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.endsAtMs > performance.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: K, value: V, lifeMs: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, endsAtMs: performance.now() + lifeMs });
    for (const first of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxSize) return;
      this.#entries.delete(first);
    }
  }
}
