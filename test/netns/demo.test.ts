import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { labNames } from '../../lab/names/paths.ts';
import { allNamespaces } from '../../lab/network/network.ts';
import { until } from './harness.ts';
import { outcomeOf } from './sluice_command.ts';

const DEMO = join(import.meta.dirname, '../../cli/demo.ts');

function startDemo() {
  const child = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = child.pid ?? 0;
  const namespaces = (): string[] => allNamespaces().filter((name) => name.startsWith(`sluice-demo-${pid}-`));
  return { pid, child, outcome: outcomeOf(child), namespaces };
}

function labFolders(pid: number): string[] {
  return labNames().filter((name) => name.startsWith(`demo-${pid}-`));
}

test('the demo shows what it promises and removes everything', async () => {
  const { pid, outcome, namespaces } = startDemo();
  const { code, stdout, stderr } = await outcome;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/shop\/frontend +app=bookstore +connected +connected +10\.1\.2\.11 fd00:1:2::11\n/);
  expect(stdout).toMatch(/reports\/monthly +app=bookstore, in another namespace +denied +denied +-\n/);
  expect(stdout).toMatch(/shop\/stock +reset \d+ ms after the change, at \d+ MB\n/);
  expect(stdout).toMatch(
    /shop\/stock -> shop\/\S+ TCP\/8080 denied at ingress: .*wanted, peer has app=inventory/,
  );
  expect(stdout).toMatch(/shop\/frontend +complete: 240000000 bytes/);
  expect(stdout).not.toContain('\u001b');
  expect(namespaces()).toEqual([]);
  expect(labFolders(pid)).toEqual([]);
});

test.each(['SIGINT', 'SIGKILL'] as const)('a demo ended by %s leaves nothing', async (signal) => {
  const { pid, outcome, namespaces } = startDemo();
  await until('the demo has pods', () => namespaces().length > 3);
  process.kill(pid, signal);
  const { code } = await outcome;
  expect(code).toBe(signal === 'SIGINT' ? 130 : 'SIGKILL');
  await until('nothing is left', () => namespaces().length === 0 && labFolders(pid).length === 0);
});

test('a demo whose reader goes away cleans up quietly', async () => {
  const { pid, child, outcome, namespaces } = startDemo();
  await until('the demo has pods', () => namespaces().length > 3);
  child.stdout.destroy();
  expect(await outcome).toMatchObject({ code: 141, stderr: '' });
  expect(namespaces()).toEqual([]);
  expect(labFolders(pid)).toEqual([]);
});

test('the demo has the flags of all commands', async () => {
  const run = (...args: string[]) => outcomeOf(spawn(process.execPath, [DEMO, ...args]));
  const help = await run('--help');
  expect(help).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^usage: npm run demo[\s\S]*--color WHEN/),
  });
  const wrong = await run('--colour', 'never');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('(see npm run demo -- --help)') });
  expect(await run('more')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("'more' is not expected"),
  });
});

test('the demo is given up after --timeout, and leaves nothing; --color always colours', async () => {
  const child = spawn(process.execPath, [DEMO, '--timeout', '2s', '--color', 'always']);
  const { code, stdout, stderr } = await outcomeOf(child);
  expect({ code, stderr }).toEqual({ code: 124, stderr: 'sluice demo: not done after 2 s (--timeout)\n' });
  expect(stdout).toContain('\u001b[1m1. The cluster of');
  expect(labFolders(child.pid ?? 0)).toEqual([]);
});

test('the demo needs root, and says so with exit code 2', async () => {
  const notRoot = 'data:text/javascript,process.getuid=()=>1000';
  const outcome = outcomeOf(spawn(process.execPath, ['--import', notRoot, DEMO]));
  expect(await outcome).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^sluice demo: a lab needs root/),
  });
});
