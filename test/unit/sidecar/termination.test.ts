import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { drainLeftMs, terminationBeganAtMs } from '../../../sidecar/termination.ts';
import { preStopCommand } from '../../builders/admitted_pods.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-termination-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs the hook as the kubelet does; throws where it does not end with 0. */
function runHook(stateDir: string): void {
  const [command = '', ...args] = preStopCommand();
  execFileSync(command, args, { env: { ...process.env, SLUICE_STATE_DIR: stateDir }, stdio: 'ignore' });
}

const NOW_MS = Date.UTC(2030, 0, 1);
const STARTED_MS = NOW_MS - 3_600_000;

test.each([
  ['no termination is known of', undefined, 25_000],
  ['it began just now', NOW_MS, 25_000],
  ['it began 7 s ago', NOW_MS - 7_000, 18_000],
  ['it began longer ago than the drain may take', NOW_MS - 26_000, 0],
  ['an earlier start of the container was terminated', STARTED_MS - 1, 25_000],
  ['the time is in the future: the clock was set', NOW_MS + 1, 25_000],
])('what is left of a drain: %s', (_what, beganAtMs, left) => {
  expect(drainLeftMs(25_000, beganAtMs, { startedAtMs: STARTED_MS, nowMs: NOW_MS })).toBe(left);
});

test('a drain of no time stays one', () => {
  expect(drainLeftMs(0, NOW_MS - 7_000, { startedAtMs: STARTED_MS, nowMs: NOW_MS })).toBe(0);
});

test('the hook of the container notes when it ran, and the last run counts', () => {
  expect(terminationBeganAtMs(dir)).toBeUndefined();
  runHook(dir);
  expect(Math.abs(Date.now() - (terminationBeganAtMs(dir) ?? 0))).toBeLessThan(10_000);
  utimesSync(join(dir, 'terminating'), 1, 1); // a kubelet that was restarted runs it again, and counts from then on
  expect(terminationBeganAtMs(dir)).toBe(1_000);
  runHook(dir);
  expect(Math.abs(Date.now() - (terminationBeganAtMs(dir) ?? 0))).toBeLessThan(10_000);
});

test('the hook ends well where it can note nothing, and then no termination is known of', () => {
  runHook(join(dir, 'gone'));
  expect(terminationBeganAtMs(join(dir, 'gone'))).toBeUndefined();
});
