/** A persistent map is what a plain map is, never changes, and knows what differs from an earlier one. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { PersistentMap } from '../../../common/persistent_map.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

/** Keys of a map that has to grow to 16 buckets and more, and shrink again. */
const KEYS = 900;

/** Keys that a careless look-up falls over. */
const ODD_KEYS = ['', '__proto__', 'constructor', '\ud800', '10.0.0.1 TCP/80'];

const VALUES = ['a', 'b', 'c'];

/** The key of a number: addresses and a few odd ones. */
function keyOf(number: number): string {
  return ODD_KEYS[number] ?? `10.${number >> 8}.0.${number & 255}`;
}

/** One change of a run of keys: they get a value, or go. Runs of all lengths, so that maps cross each bound in both directions. */
const run = fc.record({
  first: fc.nat(KEYS - 1),
  count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: KEYS })),
  value: fc.constantFrom(...VALUES, undefined, undefined),
});

type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;

type Entry = readonly [string, string | undefined];

function entriesOf(runs: readonly Run[]): Entry[] {
  return runs.flatMap(({ first, count, value }) =>
    Array.from({ length: count }, (_, i): Entry => [keyOf((first + i) % KEYS), value]),
  );
}

/** A plain map with the same changes. */
function changed(map: ReadonlyMap<string, string>, entries: readonly Entry[]): Map<string, string> {
  const copy = new Map(map);
  for (const [key, value] of entries) {
    if (value === undefined) copy.delete(key);
    else copy.set(key, value);
  }
  return copy;
}

/** As `toEqual`, which is slow: it is asked where they differ, and then says how. */
function expectEqual(found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
}

function expectSame(map: PersistentMap<string>, plain: ReadonlyMap<string, string>): void {
  expect(map.size).toBe(plain.size);
  expectEqual(new Map(map), plain);
  expectEqual(new Map(map.entries()), plain);
  expectEqual(new Set(map.keys()), new Set(plain.keys()));
  expectEqual([...map.values()].sort(), [...plain.values()].sort());
  for (let number = 0; number < KEYS; number += 17) {
    const key = keyOf(number);
    expectEqual([map.get(key), map.has(key)], [plain.get(key), plain.has(key)]);
  }
}

/** What differs between two plain maps: every key of both is looked at. */
function obviousDifferences(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): (readonly [string, string | undefined, string | undefined])[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((key) => [key, before.get(key), after.get(key)] as const)
    .filter(([, was, is]) => was !== is)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function differences(before: PersistentMap<string> | undefined, after: PersistentMap<string>) {
  return [...after.since(before)].sort(([a], [b]) => (a < b ? -1 : 1));
}

const NONE = PersistentMap.from<string>([]);

/** So many keys, all with the same value. */
function full(count: number): PersistentMap<string> {
  return PersistentMap.from(Array.from({ length: count }, (_, number) => [keyOf(number), 'a']));
}

it(
  'says what a plain map says, after any changes, and earlier maps stay as they were',
  () => {
    fc.assert(
      fc.property(
        fc.array(run, { maxLength: 2 }),
        fc.array(fc.array(run, { maxLength: 3 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        (first, batches, pick) => {
          const written = entriesOf(first).flatMap(([key, value]): [string, string][] =>
            value === undefined ? [] : [[key, value]],
          );
          let map = PersistentMap.from(written);
          let plain = new Map(written);
          const earlier: [PersistentMap<string>, Map<string, string>][] = [[map, plain]];
          for (const batch of batches) {
            const entries = entriesOf(batch);
            const next = map.with(entries);
            const nextPlain = changed(plain, entries);
            expect(next === map).toBe(obviousDifferences(plain, nextPlain).length === 0);
            expect(next.with(entries)).toBe(next);
            [map, plain] = [next, nextPlain];
            expectSame(map, plain);
            const [old, oldPlain] = earlier[pick % earlier.length] ?? [NONE, new Map()];
            // Both ways: from a map with fewer buckets, and from one with more.
            expectEqual(differences(old, map), obviousDifferences(oldPlain, plain));
            expectEqual(differences(map, old), obviousDifferences(plain, oldPlain));
            earlier.push([map, plain]);
          }
          for (const [one, onePlain] of earlier) expectEqual(new Map(one), onePlain);
          // The same content by another way, which has other buckets.
          const again = PersistentMap.from(plain);
          expectSame(again, plain);
          expect(differences(again, map)).toEqual([]);
          expectEqual(differences(undefined, map), obviousDifferences(new Map(), plain));
        },
      ),
      { numRuns: 60 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

describe('with', () => {
  it('gives the same map where nothing differs', () => {
    for (const map of [NONE, full(3), full(500)]) {
      expect(map.with([])).toBe(map);
      expect(map.with([['nobody', undefined]])).toBe(map);
      expect(map.with([...map].slice(0, 9))).toBe(map);
      expect(
        map.with([
          ['nobody', 'b'],
          ['nobody', undefined],
        ]),
      ).toBe(map);
    }
    expect(
      full(3).with([
        [keyOf(1), undefined],
        [keyOf(1), 'a'],
      ]).size,
    ).toBe(3);
  });

  it('has the later of two changes of one key', () => {
    const map = full(2).with([
      [keyOf(0), 'b'],
      [keyOf(0), 'c'],
      [keyOf(1), 'b'],
      [keyOf(1), undefined],
    ]);
    expect([...map]).toEqual([[keyOf(0), 'c']]);
  });

  it('grows and shrinks key by key', () => {
    let map = NONE;
    for (let number = 0; number < KEYS; number += 1) map = map.with([[keyOf(number), 'a']]);
    expectSame(map, new Map(full(KEYS)));
    for (let number = 0; number < KEYS; number += 1) map = map.with([[keyOf(number), undefined]]);
    expectSame(map, new Map());
  });

  it('leaves all as it was when the changes cannot be had', () => {
    const map = full(100);
    function* broken(): Generator<Entry, void, void> {
      yield [keyOf(1), 'b'];
      throw new Error('no more');
    }
    expect(() => map.with(broken())).toThrow('no more');
    expectSame(map, new Map(full(100)));
  });
});

describe('from', () => {
  it('has the later of two entries with one key', () => {
    expect([
      ...PersistentMap.from([
        ['x', 1],
        ['x', 2],
      ]),
    ]).toEqual([['x', 2]]);
  });
});

describe('since', () => {
  it('compares values by identity', () => {
    const [one, alike] = [{ port: 80 }, { port: 80 }];
    const before = PersistentMap.from([['x', one]]);
    expect([...before.with([['x', one]]).since(before)]).toEqual([]);
    expect([...before.with([['x', alike]]).since(before)]).toEqual([['x', one, alike]]);
  });

  it('does not look into what both maps share', () => {
    const before = full(KEYS);
    const after = before.with([[keyOf(7), 'b']]);
    const looks = vi.spyOn(Map.prototype, 'get');
    try {
      expect([...after.since(before)].length).toBe(1);
      expect(looks.mock.calls.length).toBeLessThan(KEYS / 4);
      expect([...before.since(before)].length).toBe(0);
    } finally {
      looks.mockRestore();
    }
  });
});

it('looks at no character of the keys of a small map: it is one bucket', () => {
  const characters = vi.spyOn(String.prototype, 'charCodeAt');
  try {
    const draft = PersistentMap.sized<string>(40).draft();
    for (let number = 0; number < 40; number += 1) draft.set(keyOf(number), 'a');
    const map = draft.done().with([[keyOf(7), 'b']]);
    expect([map.size, map.get(keyOf(7)), map.has('none')]).toEqual([40, 'b', false]);
    expect(characters).not.toHaveBeenCalled();
    expect(full(KEYS).size).toBe(KEYS);
    expect(characters).toHaveBeenCalled();
  } finally {
    characters.mockRestore();
  }
});

describe('draft', () => {
  it(
    'gives what a plain map has that is changed entry by entry, and leaves the map it is made of',
    () => {
      const property = fc.property(
        fc.array(run, { maxLength: 6 }),
        fc.array(run, { maxLength: 6 }),
        (first, then) => {
          const plain = changed(new Map(), entriesOf(first));
          const map = NONE.with(entriesOf(first));
          const draft = map.draft();
          for (const [key, value] of entriesOf(then)) draft.set(key, value);
          expectSame(draft.done(), changed(plain, entriesOf(then)));
          expectSame(map, plain);
        },
      );
      fc.assert(property, { numRuns: 60 });
    },
    PROPERTY_TIMEOUT_MS,
  );

  it('of a map with room for many has what is put into it, few or many', () => {
    for (const count of [0, 1, 70, KEYS]) {
      for (const room of [0, 100, 10_000]) {
        const draft = PersistentMap.sized<string>(room).draft();
        const plain = new Map(Array.from({ length: count }, (_, i) => [keyOf(i), 'a']));
        for (const [key, value] of plain) draft.set(key, value);
        expectSame(draft.done(), plain);
      }
    }
  });

  it('gives the same map where nothing was changed', () => {
    const map = full(KEYS);
    const draft = map.draft();
    draft.set(keyOf(7), map.get(keyOf(7)));
    draft.set('none', undefined);
    expect(draft.done()).toBe(map);
  });
});

it('puts keys into other buckets in each process, so that nobody can choose keys that share one', async () => {
  const keys = Array.from({ length: 1_000 }, (_, i): readonly [string, number] => [keyOf(i), i]);
  const orders = new Set<string>();
  for (let process = 0; process < 3; process += 1) {
    vi.resetModules();
    const { PersistentMap: Own } = await import('../../../common/persistent_map.ts');
    orders.add([...Own.from(keys).keys()].join());
  }
  expect(orders.size).toBe(3);
});

it('spreads keys that were chosen for the bits of a hash without a key', () => {
  // FNV-1a, as it was: 8 buckets of what would be 64.
  const old = (key: string): number => {
    let hash = 0x811c9dc5;
    for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) & 63;
  };
  const chosen = Array.from({ length: 65_536 }, (_, i) => `10.96.${i >> 8}.${i & 255} TCP/80`).filter(
    (key) => old(key) === 0,
  );
  const map = PersistentMap.from(chosen.map((key): [string, number] => [key, 1]));
  const changed = map.with([[chosen[0] ?? '', 2]]);
  const copies = vi.spyOn(Map.prototype, 'get');
  expect([...changed.since(map)]).toEqual([[chosen[0], 1, 2]]);
  // What differs is looked for in one bucket.
  expect(copies.mock.calls.length).toBeLessThan(200);
  copies.mockRestore();
});
