/** The injector's frames say what plain encoders say, packed or not, and are made in steps of bounded work. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../../../../common/digest.ts';
import * as packing from '../../../../../common/pack.ts';
import { PersistentMap } from '../../../../../common/persistent_map.ts';
import { atOnce, doSome, type Steps } from '../../../../../common/steps.ts';
import type { FrameBytes } from '../../../../../injector/tables/frames/frame_bytes.ts';
import { TableWriterV2 } from '../../../../../injector/tables/frames/table_writer_v2.ts';
import {
  type AddressGroup,
  type InjectorFrame,
  PartDigests,
  type PartName,
  readInjectorFrame,
  type ServiceMap,
  type Table,
  tableJson,
} from '../../../../../policy/index.ts';
import { changeBetween, outlineOf } from '../../../../builders/table_frames.ts';
import { table as builtTable } from '../../../../builders/tables.ts';
import { history, tablesOf } from '../../../policy/table/histories.ts';
import { isEmpty } from '../../../policy/table_updates.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

const writer = new TableWriterV2();

const EMPTY = builtTable({ revision: 1 });

function read(bytes: FrameBytes): InjectorFrame {
  return readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()), packing.unpack);
}

/** As `toEqual`, which is slow: it is asked where they differ, and then says how. */
function expectEqual(found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
}

function expectSaid(before: Table, after: Table, isWhole: (name: PartName) => boolean): void {
  // As JSON has them: without fields that are not there.
  const plain = (value: object): unknown => JSON.parse(JSON.stringify(value));
  expectEqual(read(atOnce(writer.snapshot(after))), plain({ type: 'snapshot', table: tableJson(after) }));
  const change = changeBetween(before, after);
  const bytes = atOnce(writer.change(before, after));
  if (bytes === undefined) expect(isEmpty(change)).toBe(true);
  else expectEqual(read(bytes), plain({ type: 'change', change }));
  for (const some of [undefined, isWhole]) {
    const outline = outlineOf(after, new PartDigests(digestOf), some);
    expectEqual(read(atOnce(writer.outline(after, some))), plain({ type: 'outline', outline }));
  }
}

/** A group of addresses from a number on; of some 30 bytes each. */
const largeGroup = fc
  .record({
    first: fc.nat(500),
    count: fc.oneof(fc.nat(20), fc.integer({ min: 500, max: 5_000 })),
    hasPorts: fc.boolean(),
    generation: fc.nat(1),
  })
  .map(({ first, count, hasPorts, generation }): AddressGroup => {
    const addresses = Array.from(
      { length: count },
      (_, i) => `10.1.${(first + i) >> 8}.${(first + i) & 255}`,
    );
    const members = PersistentMap.from(
      addresses.map((address, i): [string, string] => [address, `tag-${i}-${i % 7 === 0 ? generation : 0}`]),
    );
    if (!hasPorts) return { namespace: 'shop', members };
    const port = { name: 'http', port: 80 + generation, protocol: 'TCP' as const };
    return { members, ports: PersistentMap.from(addresses.map((address) => [address, [port]])) };
  });

function services(first: number, count: number, backends: number): ServiceMap {
  const entries = Array.from({ length: count }, (_, i) => {
    const key = `10.96.${(first + i) >> 8}.${(first + i) & 255} TCP/80`;
    const list = Array.from({ length: backends }, (_, b) => ({ address: `10.2.0.${b}`, port: 8_080 }));
    return [key, { namespace: 'shop', name: `s${first + i}`, backends: list }] as const;
  });
  return EMPTY.services.with(entries);
}

const largeServices = fc
  .record({ first: fc.nat(300), count: fc.oneof(fc.nat(5), fc.nat(1_500)), backends: fc.nat(12) })
  .map(({ first, count, backends }) => services(first, count, backends));

const largeTable = fc
  .record({
    groups: fc.dictionary(fc.constantFrom('a', 'b', '__proto__', '7'), largeGroup),
    services: largeServices,
  })
  .map((parts): Table => ({ ...EMPTY, ...parts, groups: new Map(Object.entries(parts.groups)) }));

describe('a frame says what the tables say', () => {
  it(
    'of random clusters',
    () => {
      fc.assert(
        fc.property(history, fc.boolean(), fc.func(fc.boolean()), (past, sharing, isWhole) => {
          const [before, after] = past === undefined ? [] : tablesOf(past, sharing);
          if (before !== undefined && after !== undefined) expectSaid(before, after, isWhole);
        }),
        { numRuns: 60 },
      );
    },
    PROPERTY_TIMEOUT_MS,
  );

  it(
    'of large groups and many Services, which come packed and in shards',
    () => {
      fc.assert(
        fc.property(largeTable, largeTable, fc.func(fc.boolean()), (before, after, isWhole) => {
          expectSaid(before, { ...after, revision: 2 }, isWhole);
          const shared = {
            ...after,
            revision: 2,
            services: before.services.with([...after.services].slice(0, 40)),
          };
          expectSaid(before, shared, isWhole);
        }),
        { numRuns: 20 },
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});

/** What one step of a frame has made. */
interface Work {
  json: number;
  packed: number;
  packs: number;
}

vi.mock(import('../../../../../common/pack.ts'), async (original) => {
  const real = await original();
  return { ...real, pack: vi.fn(real.pack) };
});

afterEach(() => vi.restoreAllMocks());

/** Makes something step by step. */
function workOf(steps: Steps<unknown>): Work[] {
  const all: Work[] = [];
  const stringify = vi.spyOn(JSON, 'stringify');
  const pack = vi.mocked(packing.pack);
  for (;;) {
    stringify.mockClear();
    pack.mockClear();
    const done = doSome(steps, () => false);
    all.push({
      json: stringify.mock.results.reduce((sum, { value }) => sum + String(value).length, 0),
      packed: pack.mock.calls.reduce((sum, [text]) => sum + text.length, 0),
      packs: pack.mock.calls.length,
    });
    if (done !== undefined) break;
  }
  stringify.mockRestore();
  return all;
}

/** Bytes of JSON that one step may make: 43 MB/s where it is slow. */
const MOST_JSON = 200_000;
/** Bytes that one step may pack: a millisecond for 100 kB. */
const MOST_PACKED = 1_000_000;

function expectSmallSteps(steps: Steps<unknown>, least: number): void {
  const work = workOf(steps);
  expect(work.length).toBeGreaterThan(least);
  for (const { json, packed, packs } of work) {
    expect(json).toBeLessThan(MOST_JSON);
    expect(packed).toBeLessThan(MOST_PACKED);
    expect(packs).toBeLessThanOrEqual(1);
  }
}

describe('the work of one step is bounded', () => {
  const members = Array.from({ length: 20_000 }, (_, i): [string, string] => [
    `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    'f47ac10b58cc4372',
  ]);
  const withGroup = (): Table => ({
    ...EMPTY,
    revision: 2,
    groups: new Map([['g', { namespace: 'shop', members: PersistentMap.from(members) }]]),
  });
  const withServices = (): Table => ({ ...EMPTY, revision: 2, services: services(0, 2_000, 40) });

  it.each<[string, () => Steps<unknown>, number]>([
    ['a snapshot with a group of 20,000 members', () => writer.snapshot(withGroup()), 10],
    ['a change that brings a group of 20,000', () => writer.change(EMPTY, withGroup()), 10],
    ['an outline with a group of 20,000', () => outlineSteps(withGroup()), 10],
    ['a snapshot with 2,000 Services of 40 backends', () => writer.snapshot(withServices()), 30],
    ['a change that brings 2,000 Services', () => writer.change(EMPTY, withServices()), 30],
    ['a change of 2,000 Services', () => changeOfAll(withServices()), 30],
    ['an outline with 2,000 Services', () => outlineSteps(withServices()), 10],
  ])('%s', (_, steps, least) => expectSmallSteps(steps(), least));

  const outlineSteps = (table: Table): Steps<unknown> => {
    const steps = writer.outline?.(table);
    if (steps === undefined) throw new Error('no outline');
    return steps;
  };

  const changeOfAll = (table: Table): Steps<unknown> =>
    writer.change(table, { ...table, revision: 3, services: services(0, 2_000, 41) });
});

describe('parts are made once', () => {
  const table: Table = { ...EMPTY, revision: 2, services: services(0, 2_000, 40) };

  it('also where a frame is given up halfway', () => {
    const whole = workOf(writer.snapshot({ ...table, services: services(0, 2_000, 40) })).length;
    let steps = 0;
    const halfway = writer.snapshot(table);
    doSome(halfway, () => {
      steps += 1;
      return steps < whole / 2;
    });
    expect(workOf(writer.snapshot(table)).length).toBeLessThanOrEqual(whole / 2 + 1);
    expect(workOf(writer.snapshot(table)).length).toBe(1);
  });

  it('a change of one Service makes one shard again', () => {
    atOnce(writer.snapshot(table));
    const [key = '', port] = [...table.services][0] ?? [];
    if (port === undefined) throw new Error('no Services');
    const backends = port.backends.slice(1);
    const next = { ...table, revision: 3, services: table.services.with([[key, { ...port, backends }]]) };
    const sum = (work: Work[]) => work.reduce((all, { packed }) => all + packed, 0);
    expect(sum(workOf(writer.snapshot(next)))).toBeLessThan(500_000); // all are 3 MB
    expect(sum(workOf(writer.change(table, next)))).toBe(0);
    const digestsOf = (of: Table) => new Set(outlineOf(of, new PartDigests(digestOf)).services);
    expect(digestsOf(next).size).toBeGreaterThan(4);
    expect([...digestsOf(next)].filter((one) => !digestsOf(table).has(one)).length).toBe(1);
  });

  it('all the Services of a table that had none are those of its snapshot', () => {
    atOnce(writer.snapshot(table));
    expect(workOf(writer.change(EMPTY, table)).length).toBe(1);
  });
});
