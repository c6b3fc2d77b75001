/** What goes into each program's bundle, and that it runs away from the sources. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, bundleProgram, PROGRAMS } from '../../../scripts/bundle/bundle.ts';

const run = promisify(execFile);

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
  await bundle(join(folder, 'dist'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the sidecar's bundle has nothing that only the injector needs", async () => {
  const sources = await bundleProgram('sidecar', join(folder, 'sidecar.mjs'));

  expect(sources).toContain('sidecar/run.ts');
  expect(sources.filter((path) => /^(injector|cli)\/|node_modules\/(@kubernetes|yaml)\//.test(path))).toEqual(
    [],
  );
});

test("the injector's bundle has nothing of the sidecar", async () => {
  const sources = await bundleProgram('injector', join(folder, 'injector.mjs'));

  expect(sources).toContain('injector/main.ts');
  expect(sources.filter((path) => /^(sidecar|native|cli)\//.test(path))).toEqual([]);
});

test.each(PROGRAMS)('%s explains itself from a folder without the sources', async (program) => {
  const { stdout } = await run(process.execPath, [join(folder, `dist/${program}.mjs`), '--help'], {
    cwd: '/',
  });

  expect(stdout).toMatch(/^usage: /);
});

test('the licence of every package goes along', async () => {
  const text = await readFile(join(folder, 'dist/LICENSES-third-party.txt'), 'utf8');

  for (const name of ['pino', 'prom-client', 'yaml']) expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
});
