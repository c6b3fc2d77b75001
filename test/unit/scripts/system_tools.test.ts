import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../../scripts/system_tools.sh');

/** What the script itself calls. */
const NEEDED = ['sh', 'cut', 'tr', 'sort', 'sed', 'grep'];

/** Runs the script for a user other than root, on a machine that has these tools. */
function systemTools(has: readonly string[], ...args: string[]): { code: number | null; said: string } {
  const bin = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
  onTestFinished(() => rmSync(bin, { recursive: true, force: true }));
  const find = (name: string) => spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim();
  for (const name of NEEDED) symlinkSync(find(name), join(bin, name));
  for (const name of has) symlinkSync(find('true'), join(bin, name));
  writeFileSync(join(bin, 'id'), '#!/bin/sh\necho 1000\n');
  chmodSync(join(bin, 'id'), 0o755);
  const { status, stderr } = spawnSync('sh', [SCRIPT, ...args], { env: { PATH: bin }, encoding: 'utf8' });
  return { code: status, said: stderr };
}

test('of the tools of a benchmark, those are named that are missing, with the packages that bring them', () => {
  const { code, said } = systemTools(['wrk'], 'bench', 'wrk', 'iperf3', 'ab');
  expect(code).toBe(2);
  expect(said).toMatch(/iperf3 +load: bulk/);
  expect(said).toContain('apt-get install apache2-utils iperf3\n');
  expect(said).not.toContain('wrk');
});

test('a benchmark whose tools are there is not stopped, whatever else is missing', () => {
  expect(systemTools(['wrk'], 'bench', 'wrk')).toEqual({ code: 0, said: '' });
  expect(systemTools([], 'bench')).toEqual({ code: 0, said: '' });
});
