import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  applyChange,
  TABLE_SCHEMA,
  type Table,
  type TableChange,
  tableJson,
} from '../../../../policy/index.ts';
import { TableFile } from '../../../../sidecar/table/file.ts';
import { JOURNAL_MIN_BYTES } from '../../../../sidecar/table/journal_file.ts';
import { readSealedLines, sealedLines } from '../../../../sidecar/table/sealed_lines.ts';
import { admittingGroup, groupOf, olderTable, table } from '../../../builders/tables.ts';
import { expectSameTable } from '../../policy/table_updates.ts';
import { admitting, changing, tagged, withGroup } from './journaled_tables.ts';

/** Changes of some 95 bytes that make the journal of a small table long, and not as long as it may be. */
const LONG_CHANGES = 1_600;

let dir = '';
const failures: Error[] = [];
const open = (stateDir = dir) => new TableFile(stateDir, (error) => failures.push(error));
const path = () => join(dir, 'table.json');
const kept = () => readFileSync(path(), 'utf8');
const load = () => open().load('shop', 'api')?.table;
const expectKept = (expected: Table) => expectSameTable(load() ?? table({ revision: 0 }), expected);
const changed = (before: Table, ...changes: readonly TableChange[]) =>
  changes.reduce((last, change) => applyChange(last, change).table, before);
const lines = () => [...readSealedLines(readFileSync(path()), (problem) => new Error(problem))];
const seal = (texts: readonly string[]) => Buffer.concat([...sealedLines(texts.map((text) => [text]))]);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-table-'));
  failures.length = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Saves changes one by one, each once the one before is on disk. */
async function follow(file: TableFile, first: Table, changes: readonly TableChange[]): Promise<Table> {
  let last = first;
  for (const change of changes) {
    last = changed(last, change);
    file.save(last, [change]);
    await file.flush();
  }
  return last;
}

test('what was saved last is loaded, and nothing half-written stays beside it', async () => {
  const file = open(join(dir, 'made/when/needed'));
  for (const revision of [1, 2, 3]) file.save(table({ revision, allowed: ['10.0.0.1'] }));
  await file.flush();
  const loaded = file.load('shop', 'api')?.table;
  expect(loaded && tableJson(loaded)).toEqual(tableJson(table({ revision: 3, allowed: ['10.0.0.1'] })));
  expect(file.load('shop', 'api')?.savedAtMs).toBeGreaterThan(Date.now() - 60_000);
  expect(readdirSync(join(dir, 'made/when/needed'))).toEqual(['table.json']);
  expect(failures).toEqual([]);
});

test('what an earlier sidecar has left is loaded, and saved in the form of today', async () => {
  const before = admittingGroup(
    table({ revision: 4 }),
    ['ingress', 'egress'],
    groupOf({ '10.0.0.1': 'uid-web', '10.0.0.2': 'uid-db' }),
  );
  writeFileSync(path(), JSON.stringify(olderTable(before)));
  const file = open();
  const loaded = file.load('shop', 'api')?.table;
  if (loaded === undefined) throw new Error('it was not loaded');
  expect(tableJson(loaded)).toEqual({
    ...tableJson(before),
    groups: { g: { ...tableJson(before).groups.g, ports: {} } },
  });
  file.save(loaded);
  await file.flush();
  expect(JSON.parse(lines()[0] ?? '')).toMatchObject({ schema: 2, revision: 4 });
  expect(failures).toEqual([]);
});

test('what an earlier sidecar has left is refused whole, too', () => {
  const { subject: _, ...damaged } = olderTable(table({ revision: 4 }));
  writeFileSync(path(), JSON.stringify(damaged));
  expect(() => open().load('shop', 'api')).toThrow(
    expect.objectContaining({
      code: 'TABLE_MALFORMED',
      message: expect.stringContaining('table.subject is missing'),
    }),
  );
});

test('no file is no table', () => {
  expect(open().load('shop', 'api')).toBeUndefined();
});

test("another pod's table is not used", async () => {
  const file = open();
  file.save(table({ revision: 1, name: 'other' }));
  await file.flush();
  expect(file.load('shop', 'api')).toBeUndefined();
});

test.each([
  ['cut off', (text: string) => text.slice(0, -20), 'table is not JSON'],
  [
    'of an unknown form',
    (text: string) => seal([text.split('\t')[0]?.replace('"schema":2', '"schema":99') ?? '']),
    'table.schema must be 2, is 99',
  ],
  [
    'of an unknown form and has no checksum',
    (text: string) => (text.split('\t')[0] ?? '').replace('"schema":2', '"schema":99'),
    'table.schema must be 2, is 99',
  ],
  ['empty', () => '', 'table is not JSON'],
  ['changed', (text: string) => text.replace('shop', 'shot'), 'line 1 does not match its checksum'],
])('a file that is %s is refused', async (_what, damage, problem) => {
  const file = open();
  file.save(table({ revision: 1 }));
  await file.flush();
  writeFileSync(path(), damage(kept()));
  expect(() => file.load('shop', 'api')).toThrow(
    expect.objectContaining({
      code: 'TABLE_MALFORMED',
      message: expect.stringContaining(`${path()}: ${problem}`),
    }),
  );
});

test('a folder that cannot be written to is reported, and saving goes on', async () => {
  mkdirSync(join(dir, 'table.json.new')); // in the way of every write
  const file = open();
  file.save(table({ revision: 1 }));
  await file.flush();
  expect(failures).toHaveLength(1);
  rmSync(join(dir, 'table.json.new'), { recursive: true });
  file.save(table({ revision: 2 }));
  await file.flush();
  expect(file.load('shop', 'api')?.table.revision).toBe(2);
});

test('a full disk is reported, the file stays as it was, and saving goes on', async () => {
  const file = open();
  const first = withGroup(1, []);
  file.save(first);
  await file.flush();
  symlinkSync('/dev/full', join(dir, 'table.json.new'));
  file.save(withGroup(5, ['10.0.0.1']));
  await file.flush();
  expect(failures).toEqual([expect.objectContaining({ code: 'ENOSPC' })]);
  expectKept(first);
  expect(readdirSync(dir)).toEqual(['table.json']);
  const last = await follow(file, withGroup(5, ['10.0.0.1']), [admitting(5, '10.0.0.2')]);
  expectKept(last);
});

test('a folder that cannot be made or written to is found out at the start', async () => {
  await expect(open('/proc/nope').check()).rejects.toThrow();
  await open(join(dir, 'a/b')).check();
  expect(readdirSync(join(dir, 'a'))).toEqual(['b']);
});

test('a file of the form before there was a journal is loaded', () => {
  writeFileSync(path(), JSON.stringify(tableJson(table({ revision: 4, allowed: ['10.0.0.1'] }))));
  expectKept(table({ revision: 4, allowed: ['10.0.0.1'] }));
});

test('a file that is larger than any that is written is refused unread', () => {
  writeFileSync(path(), '');
  truncateSync(path(), 256 * 1024 * 1024 + 1); // sparse
  expect(() => load()).toThrow(expect.objectContaining({ code: 'TABLE_MALFORMED' }));
});

describe('a change', () => {
  test('is appended, and the snapshot stays as it was', async () => {
    const file = open();
    const first = withGroup(1, ['10.0.0.1']);
    file.save(first);
    await file.flush();
    const snapshot = kept();
    const last = await follow(file, first, [admitting(1, '10.0.0.2'), admitting(2, '10.0.0.3')]);
    expect(kept().startsWith(snapshot)).toBe(true);
    expect(lines()).toHaveLength(3);
    expectKept(last);
    expectSameTable(last, withGroup(3, ['10.0.0.1', '10.0.0.2', '10.0.0.3']));
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test('that comes with others is kept with them', async () => {
    const file = open();
    const first = withGroup(1, []);
    file.save(first);
    const changes = Array.from({ length: 40 }, (_, i) => admitting(i + 1, `10.0.0.${i + 1}`));
    let last = first;
    for (let i = 0; i < changes.length; i += 2) {
      const both = changes.slice(i, i + 2);
      last = changed(last, ...both);
      file.save(last, both);
      if (i % 8 === 0) await file.flush();
    }
    await file.flush();
    expectKept(last);
    expect(failures).toEqual([]);
  });

  test('that does not continue what was saved before has the table written whole', async () => {
    const file = open();
    file.save(withGroup(1, []));
    await file.flush();
    file.save(withGroup(7, ['10.0.0.1']), [admitting(6, '10.0.0.1')]);
    await file.flush();
    expect(lines()).toHaveLength(1);
    expectKept(withGroup(7, ['10.0.0.1']));
  });

  test('after a whole table continues that one', async () => {
    const file = open();
    file.save(withGroup(1, []));
    const other = withGroup(5, ['10.9.0.1']);
    file.save(changed(withGroup(1, []), admitting(1, '10.0.0.1')), [admitting(1, '10.0.0.1')]);
    file.save(other);
    await file.flush();
    expectKept(other);
    const last = await follow(file, other, [admitting(5, '10.9.0.2')]);
    expectKept(last);
    expect(lines()).toHaveLength(2);
  });

  test.each([
    ['was cut off', () => truncateSync(path(), statSync(path()).size - 3)],
    ['is gone', () => rmSync(path())],
  ])('to a file that %s has the table written whole', async (_what, harm) => {
    const file = open();
    const first = withGroup(1, []);
    file.save(first);
    await file.flush();
    harm();
    const last = await follow(file, first, [admitting(1, '10.0.0.1')]);
    expectKept(last);
    expect(lines()).toHaveLength(1);
    expect(failures).toEqual([]);
  });
});

describe('a journal', () => {
  const made = async (count: number) => {
    const file = open();
    const first = withGroup(1, []);
    file.save(first);
    const changes = Array.from({ length: count }, (_, i) => admitting(i + 1, `10.0.1.${i + 1}`));
    await follow(file, first, changes);
    return readFileSync(path());
  };

  test('that was cut off anywhere has the changes before that', async () => {
    const whole = await made(3);
    const ends = [...whole].flatMap((byte, i) => (byte === 0x0a ? [i + 1] : []));
    const [snapshotEnd = 0] = ends;
    for (let length = snapshotEnd; length <= whole.length; length += 1) {
      writeFileSync(path(), whole.subarray(0, length));
      expect(load()?.revision).toBe(ends.filter((end) => end <= length).length);
    }
  });

  test('is refused with the file where any finished line is damaged', async () => {
    const whole = await made(3);
    for (let i = 0; i < whole.length - 1; i += 7) {
      const damaged = Buffer.from(whole);
      damaged[i] = (damaged[i] ?? 0) ^ 0x01;
      writeFileSync(path(), damaged);
      expect(() => load(), `byte ${i}`).toThrow(expect.objectContaining({ code: 'TABLE_MALFORMED' }));
    }
  });

  test.each([
    ['a change of an unknown form', { ...admitting(4, '10.0.0.9'), schema: 99 }, 'schema must be 2, is 99'],
    ['a gap', admitting(9, '10.0.0.9'), 'the change continues revision 9, but 4 is in force'],
    ['a rule without its group', withoutGroup(4), 'a rule asks for group "g", which is missing'],
    [
      'a member to remove that is not there',
      changing(4, { '10.0.1.9': null }),
      'there is no member of group "g"',
    ],
  ])('with %s is refused with the file', async (_what, change, problem) => {
    const whole = await made(3);
    writeFileSync(path(), Buffer.concat([whole, seal([JSON.stringify(change)])]));
    expect(() => load()).toThrow(
      expect.objectContaining({
        code: 'TABLE_MALFORMED',
        message: expect.stringMatching(`${path()}(, change 4)?: .*${problem}`),
      }),
    );
  });

  test('longer than any that is written is read all the same', () => {
    const changes = Array.from({ length: 4 * LONG_CHANGES }, (_, i) => toggling(i + 1));
    const texts = [tableJson(withGroup(1, [])), ...changes].map((value) => JSON.stringify(value));
    writeFileSync(path(), seal(texts));
    expect(statSync(path()).size).toBeGreaterThan(2 * JOURNAL_MIN_BYTES);
    expect(load()?.revision).toBe(4 * LONG_CHANGES + 1);
  });

  test('of many changes is replaced, once a second at most', async () => {
    const file = open();
    let last = withGroup(1, []);
    file.save(last);
    await file.flush();
    const replacedAtMs: number[] = [];
    for (let changes = 0; replacedAtMs.length < 2; changes += 1) {
      const { size } = statSync(path());
      last = await follow(file, last, [toggling(last.revision)]);
      if (changes > LONG_CHANGES) await sleep(20); // else it would become longer than it may be
      if (statSync(path()).size > size) continue;
      replacedAtMs.push(performance.now());
      changes = 0;
    }
    const [first = 0, second = 0] = replacedAtMs;
    expect(second - first).toBeGreaterThan(900);
    await file.idle();
    expectKept(last);
    expect(readdirSync(dir)).toEqual(['table.json']);
    expect(failures).toEqual([]);
  });

  test('never takes more than its share of the disk', async () => {
    const file = open();
    const large = Array.from({ length: 4_000 }, (_, i) => `10.7.${i >> 8}.${i & 255}`).sort();
    let last = withGroup(1, []);
    file.save(last);
    await file.flush();
    let [most, appended] = [0, 0];
    for (let i = 0; i < 12; i += 1) {
      const { size } = statSync(path());
      // Some 50 kB: six are longer than a journal may be.
      last = await follow(file, last, [replacing(last.revision, i % 2 === 0 ? large : large.slice(1))]);
      await file.idle();
      const after = statSync(path()).size;
      if (after > size) appended += 1;
      const [snapshot = ''] = lines();
      most = Math.max(most, after - seal([snapshot]).length);
    }
    expect(appended).toBeGreaterThan(3);
    expect(most).toBeLessThanOrEqual(JOURNAL_MIN_BYTES);
    expectKept(last);
  });
});

describe('while a long journal is replaced', () => {
  test('changes are kept without waiting for it, and are in the new file too', async () => {
    const members = Array.from({ length: 15_000 }, (_, i) => `10.${i >> 14}.${(i >> 7) & 127}.${i & 127}`);
    const file = open();
    let last = withGroup(1, members.sort());
    file.save(last);
    await file.flush();
    await sleep(1_000);
    const many = Array.from({ length: LONG_CHANGES }, (_, i) => toggling(i + 1, '11.0.0.1'));
    last = { ...last, revision: many.length + 1 };
    file.save(last, many);
    await file.flush();
    const { size } = statSync(path());
    let during = -1;
    for (; statSync(path()).size >= size; during += 1)
      last = await follow(file, last, [admitting(last.revision, `12.0.0.${during + 1}`)]);
    await file.idle();
    expect(during).toBeGreaterThan(0);
    expect(during).toBeLessThan(1_000); // so many more would be as long as a journal may be
    expect(lines().length).toBeLessThan(LONG_CHANGES);
    expectKept(last);
  });
});

/** Adds a member, or takes it away again. */
function toggling(from: number, address = '10.0.0.1'): TableChange {
  return changing(from, from % 2 === 1 ? tagged([address]) : { [address]: null });
}

function withoutGroup(from: number): TableChange {
  return { schema: TABLE_SCHEMA, from, revision: from + 1, groups: { g: null } };
}

function replacing(from: number, members: readonly string[]): TableChange {
  return {
    schema: TABLE_SCHEMA,
    from,
    revision: from + 1,
    groups: { g: { group: { members: tagged(members) } } },
  };
}
