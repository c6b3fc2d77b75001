/** A map of texts that never changes. A changed copy shares what is the same, so that only what differs is copied and compared. */

/** Of 15,000 keys, each bucket has some 60; one change copies one bucket. */
const BUCKETS = 256;

/** Values by text; compared by identity. */
export class BucketMap<V> {
  readonly buckets: readonly ReadonlyMap<string, V>[];
  readonly size: number;

  constructor(buckets: readonly ReadonlyMap<string, V>[] = [], size = 0) {
    this.buckets = buckets;
    this.size = size;
  }

  get(key: string): V | undefined {
    return this.buckets[bucketOf(key)]?.get(key);
  }

  *values(): Generator<V, void, void> {
    for (const bucket of this.buckets) yield* bucket.values();
  }

  /** The map with other values for some keys; `undefined`: the key is gone. */
  with(changes: ReadonlyMap<string, V | undefined>): BucketMap<V> {
    if (changes.size === 0) return this;
    const copied = new Map<number, Map<string, V>>();
    let { size } = this;
    for (const [key, value] of changes) {
      const place = bucketOf(key);
      const bucket = copied.get(place) ?? new Map(this.buckets[place]);
      copied.set(place, bucket);
      size -= bucket.size;
      if (value === undefined) bucket.delete(key);
      else bucket.set(key, value);
      size += bucket.size;
    }
    const buckets = Array.from(
      { length: BUCKETS },
      (_, place) => copied.get(place) ?? this.buckets[place] ?? NONE,
    );
    return new BucketMap<V>(buckets, size);
  }

  /** What differs from an earlier map: the values before and now. */
  *since(before: BucketMap<V>): Generator<readonly [before: V | undefined, now: V | undefined], void, void> {
    for (let place = 0; place < BUCKETS; place += 1) {
      const [old, now] = [before.buckets[place] ?? NONE, this.buckets[place] ?? NONE];
      if (old === now) continue;
      for (const [key, value] of old) if (!now.has(key)) yield [value, undefined];
      for (const [key, value] of now) {
        const known = old.get(key);
        if (known !== value) yield [known, value];
      }
    }
  }
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>();

/** FNV-1a. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 8) % BUCKETS;
}
