/** The Services of a table: what a plain map is, in shards that are bounded and the same wherever the same ports are. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceMap, type VirtualPort } from '../../../../policy/index.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

const MOST = 40;

function portWith(backends: number): VirtualPort {
  return {
    namespace: 'shop',
    name: 'web',
    backends: Array.from({ length: backends }, (_, i) => ({ address: `10.0.0.${i}`, port: 80 })),
  };
}

/** The same objects for the same numbers: maps compare by identity. */
const PORTS = Array.from({ length: 60 }, (_, backends) => portWith(backends));

const keyOf = (number: number) => `10.96.${number >> 8}.${number & 255} TCP/80`;

const change = fc.record({ first: fc.nat(200), count: fc.nat(80), backends: fc.option(fc.nat(59)) });

type Entry = readonly [string, VirtualPort | undefined];

const entriesOf = ({ first, count, backends }: { first: number; count: number; backends: number | null }) =>
  Array.from(
    { length: count },
    (_, i): Entry => [keyOf(first + i), backends === null ? undefined : PORTS[(backends + i) % PORTS.length]],
  );

const shardsOf = (map: ServiceMap) =>
  new Map([...map.shards()].map(([name, shard]) => [name, new Map(shard)]));

it(
  'says what a plain map says, has the same shards however it came about, and knows what differs',
  () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const plain = new Map<string, VirtualPort>();
        let map = ServiceMap.from([], MOST);
        for (const one of changes) {
          const [before, was] = [map, new Map(plain)];
          for (const [key, value] of entriesOf(one)) {
            if (value === undefined) plain.delete(key);
            else plain.set(key, value);
          }
          map = before.with(entriesOf(one));
          expect(map.size).toBe(plain.size);
          expect(isDeepStrictEqual(new Map(map), plain)).toBe(true);
          expect(isDeepStrictEqual(new Set(map.keys()), new Set(plain.keys()))).toBe(true);
          expect([...map.values()].length).toBe(plain.size);
          for (const [key] of entriesOf(one)) expect(map.get(key)).toBe(plain.get(key));
          const all = ServiceMap.from(plain, MOST);
          expect(isDeepStrictEqual(shardsOf(map), shardsOf(all))).toBe(true);
          for (const [later, earlier] of [
            [map, before],
            [all, before],
            [before, map],
          ] as const) {
            const [now, then] = later === before ? [was, plain] : [plain, was];
            const differing = new Map([...later.since(earlier)].map(([key, old, one]) => [key, [old, one]]));
            const expected = [...new Set([...now.keys(), ...then.keys()])].flatMap((key) =>
              now.get(key) === then.get(key) ? [] : [[key, [then.get(key), now.get(key)]] as const],
            );
            expect(isDeepStrictEqual(differing, new Map(expected))).toBe(true);
          }
          for (const [, shard] of map.shards()) {
            const weight = [...shard.values()].reduce((sum, { backends }) => sum + 3 + backends.length, 0);
            expect(shard.size === 1 || weight <= MOST).toBe(true);
          }
          if (plain.size === was.size && isDeepStrictEqual(plain, was)) expect(map).toBe(before);
        }
      }),
      { numRuns: 60 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

describe('a change of one port', () => {
  const all = Array.from({ length: 2_000 }, (_, i): [string, VirtualPort] => [keyOf(i), portWith(40)]);
  const most = 3_000;
  const map = ServiceMap.from(all, most);

  it('leaves all shards but its own as they are', () => {
    const after = map.with([[keyOf(7), portWith(39)]]);
    const [before, now] = [[...map.shards()], [...after.shards()]];
    expect(before.length).toBeGreaterThanOrEqual(20);
    expect(now.length).toBe(before.length);
    expect(now.filter(([, shard], i) => before[i]?.[1] !== shard).length).toBe(1);
    expect([...after.since(map)].map(([key]) => key)).toEqual([keyOf(7)]);
  });

  it('makes shards that are alike in size', () => {
    const sizes = [...map.shards()].map(([, shard]) => shard.size);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most / 43);
    expect(Math.min(...sizes)).toBeGreaterThan(20);
  });
});

it('keys that were chosen to begin with the same bits are divided nevertheless', () => {
  const most = 64 * 3;
  const keys = Array.from({ length: 1 << 16 }, (_, i) => `10.96.0.${i >> 14} TCP/${1 + (i & 16_383)}`);
  const all = ServiceMap.from(
    keys.map((key) => [key, portWith(0)]),
    most,
  );
  const chosen = [...all.shards()].flatMap(([name, shard]) => (name.startsWith('01101') ? [...shard] : []));
  expect(chosen.length).toBeGreaterThan(1_000);
  for (const [name, shard] of ServiceMap.from(chosen, most).shards()) {
    expect(name.startsWith('01101')).toBe(true);
    expect(shard.size).toBeLessThanOrEqual(64);
  }
});
