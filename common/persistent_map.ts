/** A map of texts that never changes. A changed copy shares what is the same, so that only what differs is copied and compared. */

/** Entries that a bucket has on average, at most and at least; beyond either bound the number of buckets changes. */
const MOST_IN_BUCKET = 64;
const LEAST_IN_BUCKET = 8;
/** What a map with another number of buckets begins with. */
const WANTED_IN_BUCKET = 32;
/** How many times as many buckets a map has that has outgrown those it had: a power of two, below the quotient of the bounds. */
const GROWTH = 4;

type Bucket<V> = ReadonlyMap<string, V>;

const NONE: Bucket<never> = new Map<string, never>();

/**
 * Values by text, none of them `undefined`; compared by identity. A change of some keys costs what they are, plus one pointer for
 * each bucket: with 10,000 keys a few microseconds. Small maps are one bucket.
 */
export class PersistentMap<V> {
  readonly #buckets: readonly Bucket<V>[];
  readonly size: number;

  private constructor(buckets: readonly Bucket<V>[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  /** A map of entries; of two with one key the later one counts. */
  static from<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    const all = new Map(entries);
    return new PersistentMap<V>(split(all, bucketsFor(all.size)), all.size);
  }

  /** An empty map with room for so many entries: filling its draft bit by bit has no long step. */
  static sized<V>(count: number): PersistentMap<V> {
    const buckets = bucketsFor(count);
    return buckets === 1 ? EMPTY : new PersistentMap<V>(new Array<Bucket<V>>(buckets).fill(NONE), 0);
  }

  get(key: string): V | undefined {
    return this.#bucket(key).get(key);
  }

  has(key: string): boolean {
    return this.#bucket(key).has(key);
  }

  #bucket(key: string): Bucket<V> {
    return this.#buckets[placeOf(key, this.#buckets.length)] ?? NONE;
  }

  /** In no order that means anything. */
  *entries(): Generator<[string, V], void, void> {
    for (const bucket of this.#buckets) yield* bucket;
  }

  [Symbol.iterator](): Generator<[string, V], void, void> {
    return this.entries();
  }

  *keys(): Generator<string, void, void> {
    for (const bucket of this.#buckets) yield* bucket.keys();
  }

  *values(): Generator<V, void, void> {
    for (const bucket of this.#buckets) yield* bucket.values();
  }

  /**
   * The map with other values for some keys; `undefined`: the key is gone. Of two changes of one key the later one counts. The
   * same map where nothing differs.
   */
  with(changes: Iterable<readonly [string, V | undefined]>): PersistentMap<V> {
    const draft = this.draft();
    for (const [key, value] of new Map(changes)) draft.set(key, value);
    return draft.done();
  }

  /** For many changes that are made bit by bit. */
  draft(): MapDraft<V> {
    return new Draft<V>(this.#buckets, this.size, (buckets, size) =>
      buckets === this.#buckets ? this : new PersistentMap<V>(buckets, size),
    );
  }

  /** What differs from an earlier map, by key: the values before and now. Parts that both share are not looked into. */
  *since(
    before: PersistentMap<V> | undefined,
  ): Generator<readonly [key: string, before: V | undefined, now: V | undefined], void, void> {
    if (before === this) return;
    const old = before === undefined ? [] : before.#buckets;
    const buckets = this.#buckets;
    const isAlike = old.length === buckets.length;
    // There are hundreds of buckets, and most are shared: for those nothing is done but the comparison.
    for (let place = 0; place < buckets.length; place += 1) {
      const bucket = buckets[place] ?? NONE;
      const then = isAlike ? old[place] : before;
      if (then === bucket) continue;
      for (const [key, now] of bucket) {
        const known = then?.get(key);
        if (known !== now) yield [key, known, now];
      }
    }
    for (let place = 0; place < old.length; place += 1) {
      const bucket = old[place] ?? NONE;
      const now = isAlike ? buckets[place] : this;
      if (now === bucket) continue;
      for (const [key, known] of bucket) if (now?.has(key) !== true) yield [key, known, undefined];
    }
  }
}

/** Most groups of a large cluster begin with it. */
const EMPTY = PersistentMap.from<never>([]);

/** A map that is being changed. The map that it was made of stays as it is. */
export interface MapDraft<V> {
  /** Gives a key another value; `undefined`: it is gone. */
  set(key: string, value: V | undefined): void;
  /** The map as it is now; the same as before where no call of `set` changed anything. The draft must not be used any more. */
  done(): PersistentMap<V>;
}

class Draft<V> implements MapDraft<V> {
  readonly #made: (buckets: readonly Bucket<V>[], size: number) => PersistentMap<V>;
  #buckets: readonly Bucket<V>[];
  /** Buckets that belong to the draft: the first one, which is all that small maps have, and others by place. */
  #first: Map<string, V> | undefined;
  #others: Map<number, Map<string, V>> | undefined;
  #size: number;

  /** @param made the map with these buckets */
  constructor(
    buckets: readonly Bucket<V>[],
    size: number,
    made: (buckets: readonly Bucket<V>[], size: number) => PersistentMap<V>,
  ) {
    this.#buckets = buckets;
    this.#size = size;
    this.#made = made;
  }

  set(key: string, value: V | undefined): void {
    const place = placeOf(key, this.#buckets.length);
    const known = place === 0 ? this.#first : this.#others?.get(place);
    const before = known ?? this.#buckets[place] ?? NONE;
    if (before.get(key) === value) return;
    const bucket = known ?? copyOf(before);
    if (known === undefined) this.#own(place, bucket);
    this.#size -= bucket.size;
    if (value === undefined) bucket.delete(key);
    else bucket.set(key, value);
    this.#size += bucket.size;
    if (this.#size > this.#buckets.length * MOST_IN_BUCKET) this.#split(this.#buckets.length * GROWTH);
  }

  done(): PersistentMap<V> {
    const count = this.#buckets.length;
    if (count > 1 && this.#size < count * LEAST_IN_BUCKET) this.#split(bucketsFor(this.#size));
    return this.#made(this.#current(), this.#size);
  }

  #current(): readonly Bucket<V>[] {
    if (this.#first === undefined && this.#others === undefined) return this.#buckets;
    const buckets = [...this.#buckets];
    if (this.#first !== undefined) buckets[0] = this.#first;
    for (const [place, bucket] of this.#others ?? []) buckets[place] = bucket;
    return buckets;
  }

  #own(place: number, bucket: Map<string, V>): void {
    if (place === 0) this.#first = bucket;
    else {
      this.#others ??= new Map();
      this.#others.set(place, bucket);
    }
  }

  #split(count: number): void {
    const buckets = split(entriesOf(this.#current()), count);
    this.#buckets = buckets;
    this.#others = undefined;
    for (const [place, bucket] of buckets.entries()) this.#own(place, bucket);
  }
}

function copyOf<V>(bucket: Bucket<V>): Map<string, V> {
  return bucket.size === 0 ? new Map<string, V>() : new Map(bucket);
}

function* entriesOf<V>(buckets: readonly Bucket<V>[]): Generator<[string, V], void, void> {
  for (const bucket of buckets) yield* bucket;
}

/** How many buckets hold so many entries. */
function bucketsFor(size: number): number {
  return size <= MOST_IN_BUCKET ? 1 : 2 ** Math.ceil(Math.log2(size / WANTED_IN_BUCKET));
}

function split<V>(entries: Iterable<readonly [string, V]>, count: number): Map<string, V>[] {
  const buckets = Array.from({ length: count }, () => new Map<string, V>());
  for (const [key, value] of entries) buckets[placeOf(key, count)]?.set(key, value);
  return buckets;
}

/**
 * The key of the hash, another one in each process: who chooses names or addresses cannot put them all into one bucket, whose
 * copies would then cost what the whole map has.
 */
const [KEY_0 = 0, KEY_1 = 0] = crypto.getRandomValues(new Int32Array(2));

/** Rounds after the last word. */
const LAST_ROUNDS = 3;

/**
 * HalfSipHash-1-3, two characters a word: for an address some 10 ns more than FNV-1a, which takes no key. Source: Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF"; `hsiphash` of Linux.
 * @param count a power of two
 */
function placeOf(key: string, count: number): number {
  if (count === 1) return 0;
  const { length } = key;
  // In the last word there is the length: a key and the same key with a zero at its end are two.
  const end = (length + 1) & ~1;
  let v0 = KEY_0;
  let v1 = KEY_1;
  let v2 = KEY_0 ^ 0x6c796765;
  let v3 = KEY_1 ^ 0x74656462;
  for (let at = 0; at <= end + 2 * LAST_ROUNDS; at += 2) {
    let word = 0;
    if (at < end) word = key.charCodeAt(at) | (at + 1 < length ? key.charCodeAt(at + 1) << 16 : 0);
    else if (at === end) word = length;
    else if (at === end + 2) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v2 = (v2 + v3) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 << 16) | (v0 >>> 16);
    v0 = (v0 + v3) | 0;
    v2 = (v2 + v1) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return ((v1 ^ v3) >>> 0) & (count - 1);
}
