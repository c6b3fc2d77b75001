/** A network namespace of a test goes with the process that made it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';

const SUPPORT = new URL('../support/netns.ts', import.meta.url).href;

const isThere = (name: string): boolean => existsSync(`/run/netns/${name}`);

test('also when that process is killed', async () => {
  const name = netnsName('-k');
  const script = `
    import { addNetns } from '${SUPPORT}';
    addNetns('${name}');
    process.stdout.write('made');
    setInterval(() => {}, 1000);
  `;
  const maker = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(maker.stdout, 'data');
  expect(isThere(name)).toBe(true);
  maker.kill('SIGKILL');
  await expect.poll(() => isThere(name)).toBe(false);
});

test('and when a test removes it', () => {
  const name = netnsName();
  addNetns(name);
  expect(isThere(name)).toBe(true);
  removeNetns(name);
  expect(isThere(name)).toBe(false);
});
