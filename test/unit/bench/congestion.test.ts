import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { permitCongestionControl } from '../../../bench/rig/congestion.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-congestion-'));
  file = join(folder, 'allowed');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const allowed = () => readFileSync(file, 'utf8').trim();

test('cubic is allowed as long as the benchmarks run, beside what the machine allows', async () => {
  writeFileSync(file, 'reno bbr\n');
  const permission = permitCongestionControl(file);
  expect(allowed()).toBe('reno bbr cubic');
  await permission.release();
  expect(allowed()).toBe('reno bbr');
  await permission.release();
});

test('a machine that allows it already is left as it is', async () => {
  writeFileSync(file, 'reno cubic\n');
  await permitCongestionControl(file).release();
  expect(allowed()).toBe('reno cubic');
});

test('a machine without the setting is no error', async () => {
  await permitCongestionControl(join(folder, 'none')).release();
});

test('what the machine allows is put back when the benchmarks are killed', async () => {
  writeFileSync(file, 'reno bbr\n');
  const module = join(import.meta.dirname, '../../../bench/rig/congestion.ts');
  const script = `const { permitCongestionControl } = await import(${JSON.stringify(module)});
    permitCongestionControl(${JSON.stringify(file)});
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  await once(child, 'exit');
  await vi.waitFor(() => expect(allowed()).toBe('reno bbr'), { timeout: 10_000 });
});
