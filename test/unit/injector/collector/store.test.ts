import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  FlowStore,
  type FlowStoreParts,
  type Resolution,
} from '../../../../injector/collector/store/index.ts';
import type { EdgeSums, Said } from '../../../../injector/collector/sums/index.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Noon. */
const NOON = Date.parse('2026-11-30T12:00:00Z');

let folder: string;
let store: FlowStore;
let lost: string[];
let changes: (string | undefined)[];

function open(rest: Partial<FlowStoreParts> = {}): void {
  store = new FlowStore({
    folder,
    keptMs: { minutes: DAY_MS, hours: 30 * DAY_MS },
    maxBytes: 100_000_000,
    saidOf: () => undefined,
    lost: (where, flows) => lost.push(`${where} ${flows}`),
    changed: (problem) => changes.push(problem),
    ...rest,
  });
}

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'sluice-flows-')), 'flows');
  [lost, changes] = [[], []];
  open();
});

afterEach(() => {
  store.close(NOON);
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

function sumsOf(flows: number, atMs: number, rest: Partial<EdgeSums> = {}): EdgeSums {
  return {
    srcPod: 'a',
    dstPod: 'b',
    first: atMs - 10_000,
    last: atMs,
    flows,
    packets: 0,
    sent: 10,
    received: 1,
    ...rest,
  };
}

function read(resolution: Resolution, sinceMs: number, untilMs: number): Record<string, EdgeSums[]> {
  const all: Record<string, EdgeSums[]> = {};
  for (const part of store.read(resolution, sinceMs, untilMs))
    for (const [key, sums] of part) all[key] = [...(all[key] ?? []), sums];
  return all;
}

const flowsIn = (resolution: Resolution, sinceMs = 0, untilMs = NOON + 365 * DAY_MS) =>
  Object.values(read(resolution, sinceMs, untilMs))
    .flat()
    .reduce((sum, { flows }) => sum + flows, 0);

const files = () =>
  readdirSync(folder)
    .filter((name) => !/-(wal|shm)$/.test(name))
    .sort();

test('equal edges of a minute are one row, and read as one sum of their span', () => {
  store.add(NOON, 'edge', sumsOf(1, NOON));
  store.flush(NOON);
  store.add(NOON + 1_000, 'edge', sumsOf(2, NOON + 1_000, { dstPod: 'c' }));
  store.add(NOON + MINUTE_MS, 'edge', sumsOf(4, NOON + MINUTE_MS, { dstPod: 'c' }));
  store.flush(NOON + MINUTE_MS);
  const all = {
    srcPod: 'a',
    dstPod: '',
    first: NOON - 10_000,
    last: NOON + MINUTE_MS,
    flows: 7,
    sent: 30,
    received: 3,
  };
  expect(read('minutes', NOON, NOON + HOUR_MS)).toMatchObject({ edge: [all] });
  expect(read('hours', NOON, NOON + HOUR_MS)).toMatchObject({ edge: [all] });
  expect(flowsIn('minutes', NOON + MINUTE_MS, NOON + HOUR_MS)).toBe(4);
});

test('what waits is read as well as what is written, each once', () => {
  store.add(NOON, 'edge', sumsOf(1, NOON));
  expect(flowsIn('minutes')).toBe(1);
  store.flush(NOON);
  expect(flowsIn('minutes')).toBe(1);
  store.add(NOON, 'edge', sumsOf(2, NOON));
  expect(flowsIn('minutes')).toBe(3);
});

test('each day of UTC has files of its own, which go whole when all of them is over', () => {
  const midnight = Date.parse('2026-12-01T00:00:00Z');
  store.add(midnight - 1, 'edge', sumsOf(1, midnight - 1));
  store.add(midnight, 'edge', sumsOf(2, midnight));
  store.flush(midnight);
  const all = [
    'hours-2026-11-30.db',
    'hours-2026-12-01.db',
    'minutes-2026-11-30.db',
    'minutes-2026-12-01.db',
  ];
  expect(files()).toEqual(all);
  expect(flowsIn('minutes')).toBe(3);
  expect(flowsIn('minutes', midnight)).toBe(2);
  store.flush(midnight + DAY_MS - 1);
  expect(files()).toEqual(all);
  store.flush(midnight + DAY_MS + MINUTE_MS);
  expect(files()).toEqual(all.filter((name) => name !== 'minutes-2026-11-30.db'));
  store.flush(midnight + 31 * DAY_MS);
  expect(files()).toEqual([]);
});

test('with more bytes than allowed the oldest files go first, and today alone is not written beyond it', () => {
  store.add(NOON - DAY_MS, 'edge', sumsOf(1, NOON - DAY_MS));
  store.add(NOON, 'edge', sumsOf(2, NOON));
  store.flush(NOON);
  store.close(NOON);
  open({ maxBytes: 1 });
  store.flush(NOON + MINUTE_MS);
  expect(files()).toEqual(['hours-2026-11-30.db', 'minutes-2026-11-30.db']);
  expect(store.problem).toMatch(/larger than 1 bytes/);
  expect(changes).toEqual([store.problem]);
});

test('what is lost is in the answers of its time, from memory as from files', () => {
  store.lose(NOON, 'rate', 5);
  store.flush(NOON);
  store.lose(NOON + 1, 'rate', 2);
  store.lose(NOON + 2 * HOUR_MS, 'size', 1);
  expect([...store.lost('minutes', NOON, NOON + HOUR_MS)]).toEqual([['rate', 7]]);
  expect([...store.lost('hours', NOON, NOON + DAY_MS)]).toEqual([
    ['rate', 7],
    ['size', 1],
  ]);
});

test('while it cannot be written flows wait within a bound, the rest is counted to the piece, and it comes back by itself', () => {
  mkdirSync(join(folder, '..'), { recursive: true });
  writeFileSync(folder, 'a file where the folder should be');
  open({ unwritten: { maxSums: 3, maxEvents: 2 }, retryMs: 1_000 });
  for (let one = 0; one < 5; one += 1) store.add(NOON, `edge ${one}`, sumsOf(10, NOON));
  store.add(NOON, 'edge 0', sumsOf(1, NOON)); // has its place
  store.flush(NOON);
  expect(lost.filter((line) => line.startsWith('minutes'))).toEqual(['minutes 10', 'minutes 10']);
  expect(changes).toHaveLength(1);
  expect(changes[0]).toBeDefined();
  expect(flowsIn('minutes')).toBe(31); // in memory
  expect([...store.lost('minutes', NOON, NOON + HOUR_MS)]).toEqual([['minutes', 20]]);

  rmSync(folder);
  store.flush(NOON + 999); // not yet
  expect(store.problem).toBeDefined();
  store.flush(NOON + 1_000);
  expect(changes).toEqual([changes[0], undefined]);
  expect(flowsIn('minutes')).toBe(31);
  expect([...store.lost('minutes', NOON, NOON + HOUR_MS)]).toEqual([['minutes', 20]]);
  expect(files()).toHaveLength(2);
});

test.each([
  ['is no database', (path: string) => writeFileSync(path, 'no database '.repeat(1_000))],
  ['is of another version', (path: string) => writeOtherVersion(path)],
])('a file that %s is set aside, and a new one begun', (_, spoil) => {
  mkdirSync(folder, { recursive: true });
  spoil(join(folder, 'minutes-2026-11-30.db'));
  open({ retryMs: 1_000 });
  store.add(NOON, 'edge', sumsOf(3, NOON));
  store.flush(NOON);
  expect(store.problem).toBeDefined();
  store.flush(NOON + 1_000);
  expect(store.problem).toBeUndefined();
  expect(flowsIn('minutes')).toBe(3);
  expect(existsSync(join(folder, 'minutes-2026-11-30.db.broken'))).toBe(true);
  store.flush(NOON + 3 * DAY_MS);
  expect(existsSync(join(folder, 'minutes-2026-11-30.db.broken'))).toBe(false);
});

test('a file that breaks while it is open is set aside too', () => {
  store.add(NOON, 'edge', sumsOf(3, NOON));
  store.flush(NOON);
  store.close(NOON);
  open({ retryMs: 0 });
  writeFileSync(join(folder, 'minutes-2026-11-30.db'), Buffer.alloc(8_192, 'x'));
  store.add(NOON, 'edge', sumsOf(4, NOON));
  store.flush(NOON);
  store.flush(NOON + 1);
  expect(store.problem).toBeUndefined();
  expect(flowsIn('minutes')).toBe(4);
  expect(flowsIn('hours')).toBe(7);
});

test('other files in the folder are left alone', () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'notes.txt'), '');
  store.flush(NOON + 365 * DAY_MS);
  expect(files()).toEqual(['notes.txt']);
});

test('single events are kept with the hours, the newest first', () => {
  for (let one = 0; one < 3; one += 1)
    store.addEvent({ atMs: NOON + one, pod: 'shop/web', record: `{"n":${one}}` });
  store.flush(NOON);
  store.addEvent({ atMs: NOON + 9, pod: 'shop/web', record: '{}' });
  expect(store.events(NOON, NOON + DAY_MS, 3).map(({ record }) => record)).toEqual([
    '{}',
    '{"n":2}',
    '{"n":1}',
  ]);
});

test('all that is said of a cut is kept and read', () => {
  const said: Said = {
    explanation: 'cut',
    isolating: ['shop/in'],
    near: [{ policy: 'shop/in', rule: 0, lacks: ['TCP/80 wanted'] }],
    was: { policy: 'shop/in', rule: 1, revision: 3 },
    change: {
      kind: 'NetworkPolicy',
      namespace: 'shop',
      name: 'in',
      generation: 4,
      at: '2026-11-30T12:00:00Z',
    },
  };
  store.close(NOON);
  open({ saidOf: () => said });
  store.add(NOON, 'edge', sumsOf(1, NOON));
  store.flush(NOON);
  expect(read('hours', NOON, NOON + HOUR_MS).edge?.[0]?.said).toEqual(said);
});

test('what is kept begins with the first minute that has anything; of long ago with the first hour', () => {
  store.add(NOON + 43 * MINUTE_MS, 'edge', sumsOf(1, NOON + 43 * MINUTE_MS));
  store.flush(NOON + 43 * MINUTE_MS);
  store.flush(NOON + 44 * MINUTE_MS);
  expect(store.oldestMs).toBe(NOON + 43 * MINUTE_MS);
  store.flush(NOON + 3 * DAY_MS);
  expect(store.oldestMs).toBe(NOON);
});

test('what was said of an edge is kept with it, the latest', () => {
  let said = 'first';
  store.close(NOON);
  open({ saidOf: () => ({ explanation: said }) });
  store.add(NOON, 'edge', sumsOf(1, NOON));
  store.flush(NOON);
  said = 'second';
  store.add(NOON, 'edge', sumsOf(1, NOON));
  store.flush(NOON);
  expect(read('hours', NOON, NOON + HOUR_MS).edge?.[0]?.said).toEqual({ explanation: 'second' });
});

function writeOtherVersion(path: string): void {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const db = new DatabaseSync(path);
  db.exec('CREATE TABLE other(a); PRAGMA user_version = 99;');
  db.close();
}
