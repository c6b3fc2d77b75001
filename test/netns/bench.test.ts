/** The benchmarks themselves, as small as they get: that they run, and leave nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { existingNamespaces } from '../../lab/network/network.ts';
import { findProcesses } from '../../lab/processes/find.ts';
import { removeLab } from './harness.ts';

const MAIN = join(import.meta.dirname, '../../bench/main.ts');

/** A run that needs no tool besides the lab's. */
const SMALLEST = ['--only', 'start-up,cut', '--paths', 'direct,sluice-node', '--rounds', '1'];

interface Run {
  readonly child: ChildProcess;
  /** The name of its lab. */
  readonly lab: string;
  readonly ended: Promise<{ readonly code: number; readonly output: string; readonly said: string }>;
}

function bench(...argv: string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lab = `bench-${child.pid}`;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await removeLab(lab);
  });
  let output = '';
  let said = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, output, said }));
  return { child, lab, ended };
}

function expectNothingLeft(lab: string): void {
  expect(existingNamespaces(lab)).toEqual([]);
  expect(findProcesses(lab, [], true)).toEqual([]);
}

function metricOf(id: unknown = expect.any(String)): unknown {
  return expect.objectContaining({
    id,
    paths: { 'sluice-node': expect.objectContaining({ runs: [expect.any(Number)] }) },
  });
}

test('a run prints one JSON document with its figures, and leaves nothing', async () => {
  const { lab, ended } = bench(...SMALLEST, '--sidecar', 'source');
  const { code, output, said } = await ended;
  expect(code, said).toBe(0);
  const { figures, targets } = JSON.parse(output);
  expect(figures).toMatchObject([
    { name: 'cut', metrics: expect.arrayContaining([metricOf('cut_p50'), metricOf('cut_p99')]) },
    { name: 'start-up', metrics: [metricOf()] },
  ]);
  expect(targets).toContainEqual(expect.objectContaining({ metric: 'cut_p99', bound: 'at most' }));
  expectNothingLeft(lab);
});

test('an interrupted run says so, prints no figures, and leaves nothing', async () => {
  const { child, lab, ended } = bench(...SMALLEST, '--sidecar', 'source');
  if (child.stderr === null) throw new Error('no standard error');
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('path sluice')) break;
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 130, output: '' });
  expectNothingLeft(lab);
});

test('a wrong command line is refused before anything is built', async () => {
  expect(await bench('--only', 'bulks').ended).toMatchObject({
    code: 2,
    output: '',
    said: expect.stringContaining('--only: there is no bulks'),
  });
});
