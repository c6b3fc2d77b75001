import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TableFile } from '../../../../sidecar/table/file.ts';
import { table } from '../../../builders/tables.ts';

let dir = '';
const failures: Error[] = [];
const open = (stateDir = dir) => new TableFile(stateDir, (error) => failures.push(error));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-table-'));
  failures.length = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('what was saved last is loaded, and nothing half-written stays beside it', async () => {
  const file = open(join(dir, 'made/when/needed'));
  for (const revision of [1, 2, 3]) file.save(table({ revision, allowed: ['10.0.0.1'] }));
  await file.flush();
  expect(file.load('shop', 'api')?.table).toEqual(table({ revision: 3, allowed: ['10.0.0.1'] }));
  expect(file.load('shop', 'api')?.savedAtMs).toBeGreaterThan(Date.now() - 60_000);
  expect(readdirSync(join(dir, 'made/when/needed'))).toEqual(['table.json']);
  expect(failures).toEqual([]);
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
    (text: string) => text.replace('"schema":1', '"schema":99'),
    'table.schema must be 1, is 99',
  ],
  ['empty', () => '', 'table is not JSON'],
])('a file that is %s is refused', async (_what, damage, problem) => {
  const file = open();
  file.save(table({ revision: 1 }));
  await file.flush();
  writeFileSync(join(dir, 'table.json'), damage(readFileSync(join(dir, 'table.json'), 'utf8')));
  expect(() => file.load('shop', 'api')).toThrow(
    expect.objectContaining({
      code: 'TABLE_MALFORMED',
      message: expect.stringContaining(`${join(dir, 'table.json')}: ${problem}`),
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

test('a folder that cannot be made or written to is found out at the start', async () => {
  await expect(open('/proc/nope').check()).rejects.toThrow();
  await open(join(dir, 'a/b')).check();
  expect(readdirSync(join(dir, 'a'))).toEqual(['b']);
});
