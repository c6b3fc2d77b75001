/** The rows of `npm run bench -- scale`, as small as they get: that each measures what it names, and leaves nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ScaleResults } from '../../bench/scale/results.ts';

/** Some twenty processes, one after the other: seconds where nothing else runs, and minutes where much does. */
const PATIENCE_MS = 300_000;

const MAIN = join(import.meta.dirname, '../../bench/main.ts');

function scale(...argv: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-t-'));
  const child = spawn(process.execPath, [MAIN, 'scale', '--quick', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const said = { output: '', progress: '' };
  child.stdout.on('data', (chunk) => {
    said.output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said.progress += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, ...said }));
  return { child, said, ended, left: () => readdirSync(folder) };
}

test('rows have a value for each of their figures: a restart over TLS, and the real sidecar', {
  timeout: PATIENCE_MS,
}, async () => {
  const rows = ['one-namespace', 'sidecar'];
  const { ended, left } = scale(...rows);
  const { code, output, progress } = await ended;
  expect(code, progress).toBe(0);
  const results: ScaleResults = JSON.parse(output);
  expect(results.rows.map(({ name }) => name)).toEqual(rows);
  for (const { name, metrics } of results.rows)
    for (const { id, summary } of metrics) expect(summary?.median, `${name} ${id}`).toBeGreaterThanOrEqual(0);
  expect(left()).toEqual([]);
});

test('an interrupted run says so, prints no figures, and leaves nothing', {
  timeout: PATIENCE_MS,
}, async () => {
  const { child, said, ended, left } = scale('first-policy');
  await expect.poll(() => said.progress, { timeout: PATIENCE_MS }).toContain('the policy is applied');
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 130, output: '' });
  expect(left()).toEqual([]);
});
