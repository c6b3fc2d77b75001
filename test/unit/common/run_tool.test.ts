import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { outcomeOf, runTool } from '../../../common/run_tool.ts';

/** Long enough for a shell on a busy machine, ms. */
const PATIENT = { timeMs: 60_000 };

const sh = (script: string) => ['sh', '-c', script];

test('what a program says and how it ends come back separately', async () => {
  expect(await runTool(sh('echo out; echo err >&2; exit 3'), PATIENT)).toEqual({
    status: 3,
    signal: null,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

test('the input is its stdin, and the environment is its own', async () => {
  const { stdout } = await runTool(sh('cat; echo "$NAME"'), {
    ...PATIENT,
    input: 'text\n',
    env: { PATH: process.env.PATH, NAME: 'value' },
  });
  expect(stdout).toBe('text\nvalue\n');
});

test('a program that reads no input is no failure', async () => {
  const { status } = await runTool(sh('exec 0<&-; exit 0'), { ...PATIENT, input: 'x'.repeat(1 << 20) });
  expect(status).toBe(0);
});

test('one that takes too long is killed', async () => {
  const startedMs = performance.now();
  const outcome = await runTool(['sleep', '60'], { timeMs: 50 });
  expect(outcome).toMatchObject({ status: null, signal: 'SIGTERM', over: 'time' });
  expect(performance.now() - startedMs).toBeLessThan(30_000);
});

test('one that says too much is killed, and what it said stays within the bound', async () => {
  const outcome = await runTool(['yes'], { ...PATIENT, outputLength: 100_000, signal: 'SIGKILL' });
  expect(outcome).toMatchObject({ status: null, signal: 'SIGKILL', over: 'output' });
  expect(outcome.stdout.length).toBeLessThanOrEqual(100_000);
});

test('a program that is not there is an ENOENT', async () => {
  await expect(runTool(['/no/such/program'], PATIENT)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a character that is cut between two reads stays whole', async () => {
  const { stdout } = await runTool(sh(String.raw`printf '\303'; sleep 0.2; printf '\244'`), PATIENT);
  expect(stdout).toBe('ä');
});

test('the same comes back of a program that others started', async () => {
  const child = spawn('sh', ['-c', 'echo here; kill -KILL $$'], { stdio: ['ignore', 'pipe', 'inherit'] });
  expect(await outcomeOf(child, PATIENT)).toEqual({
    status: null,
    signal: 'SIGKILL',
    stdout: 'here\n',
    stderr: '',
  });
});
