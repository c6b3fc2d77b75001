/** What goes into each program's bundle, and that it runs away from the sources. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import lockfile from '../../../package-lock.json' with { type: 'json' };
import { bundle, bundleProgram, PROGRAMS } from '../../../scripts/bundle/bundle.ts';
import { INSIDE } from '../../../scripts/bundle/inside.ts';
import { createProvenance, type Provenance } from '../../../scripts/bundle/provenance.ts';
import { httpGet } from '../injector/running_injector.ts';
import { waitFor } from '../injector/wait_for.ts';

const run = promisify(execFile);

/** Dependencies of packages in the bundles of which nothing is in them. */
const NOT_BUNDLED = [
  '@opentelemetry/api',
  '@types/js-yaml',
  '@types/node',
  '@types/stream-buffers',
  'argparse',
  'bare-events',
  'bare-fs',
  'form-data',
  'jose',
  'pino-abstract-transport',
  'process-warning',
  'real-require',
  'tdigest',
];

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
  await bundle(join(folder, 'dist'));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the sidecar's bundle has nothing that only the injector needs", async () => {
  const { sources } = await bundleProgram('sidecar', join(folder, 'sidecar.mjs'));

  expect(sources).toContain('sidecar/run.ts');
  expect(sources.filter((path) => /^(injector|cli)\/|node_modules\/(@kubernetes|yaml)\//.test(path))).toEqual(
    [],
  );
});

test("the injector's bundle has nothing of the sidecar", async () => {
  const { sources } = await bundleProgram('injector', join(folder, 'injector.mjs'));

  expect(sources).toContain('injector/main.ts');
  expect(sources.filter((path) => /^(sidecar|native|cli)\//.test(path))).toEqual([]);
});

test.each(PROGRAMS)('%s explains itself from a folder without the sources', async (program) => {
  const { stdout } = await run(process.execPath, [join(folder, `dist/${program}.mjs`), '--help'], {
    cwd: '/',
  });

  expect(stdout).toMatch(/^usage: /);
});

test("the injector's bundle starts the thread that collects flows from the file beside it", async () => {
  const { sources } = await bundleProgram('collector', join(folder, 'collector.mjs'));
  expect(sources).toContain('injector/collector/worker/worker.ts');
  expect(sources.filter((path) => /^(sidecar|native|cli|node_modules)\//.test(path))).toEqual([]);

  const [socket, statusSocket] = [join(folder, 'tables.sock'), join(folder, 'status.sock')];
  mkdirSync(join(folder, 'manifests'));
  const injector = spawn(
    process.execPath,
    [
      ...[join(folder, 'dist/injector.mjs'), '--dir', join(folder, 'manifests')],
      ...['--socket', socket, '--status-socket', statusSocket, '--flows-dir', join(folder, 'flows')],
    ],
    { cwd: '/', stdio: 'ignore' },
  );
  try {
    await waitFor(() => existsSync(statusSocket), 20_000);
    const asked = JSON.stringify({ since: 0, until: Date.now() });
    const { code, body } = await httpGet(statusSocket, '/observe', asked);
    expect([code, JSON.parse(body).flows]).toEqual([200, []]);
  } finally {
    injector.kill('SIGTERM');
    await once(injector, 'exit');
  }
  expect(injector.exitCode).toBe(0);
}, 60_000);

test('the licence of every package goes along', async () => {
  const text = await readFile(join(folder, 'dist/LICENSES-third-party.txt'), 'utf8');

  for (const name of ['pino', 'prom-client', 'yaml']) expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
  // A text each, not the name of a licence alone.
  for (const part of text.split(/^-{80}$/m)) expect(part.trim().length, part).toBeGreaterThan(600);
  for (const name of ['jsep', '@jsep-plugin/regex', 'llhttp', 'milo'])
    expect(text).toMatch(new RegExp(`^Inside .*: ${name}$`, 'm'));
});

test('the licence of Sluice goes along', async () => {
  expect(await readFile(join(folder, 'dist/LICENSE'), 'utf8')).toContain('Apache License');
});

describe('provenance.json', () => {
  const read = async () =>
    JSON.parse(await readFile(join(folder, 'dist/provenance.json'), 'utf8')) as Provenance;
  const names = ({ files }: Provenance, file: string) => files[file]?.packages.map(({ name }) => name) ?? [];

  test('has the hash of every file that runs', async () => {
    const { files } = await read();

    expect(Object.keys(files).sort()).toEqual([
      'collector.mjs',
      'injector.mjs',
      'sidecar.mjs',
      'sluice.node',
    ]);
    for (const [file, { sha256 }] of Object.entries(files)) {
      const content = await readFile(join(folder, 'dist', file));
      expect(sha256, file).toBe(createHash('sha256').update(content).digest('hex'));
    }
  });

  test('names the packages in each file, and none whose code was left out', async () => {
    const provenance = await read();

    expect(names(provenance, 'sidecar.mjs')).toEqual(expect.arrayContaining(['pino', 'prom-client']));
    expect(names(provenance, 'injector.mjs')).toEqual(
      expect.arrayContaining(['@kubernetes/client-node', '@peculiar/x509', 'pino', 'yaml']),
    );
    expect(names(provenance, 'injector.mjs')).not.toContain('@opentelemetry/api');
    expect(names(provenance, 'sluice.node')).toEqual(['node-api-headers']);
  });

  test('has them with the versions and hashes of package-lock.json', async () => {
    const { bundler, files } = await read();
    const locked = Object.entries(lockfile.packages).map(([path, entry]) => ({
      name: path.split('node_modules/').at(-1),
      ...entry,
    }));

    expect(bundler.map(({ name }) => name)).toEqual([
      'esbuild',
      `@esbuild/${process.platform}-${process.arch}`,
    ]);
    const all = [...bundler, ...Object.values(files).flatMap(({ packages }) => packages)];
    for (const { name, version, integrity } of all)
      expect(locked).toContainEqual(expect.objectContaining({ name, version, integrity }));
  });

  test('names the code of others inside packages, of which the bundler knows nothing', async () => {
    const packages = Object.values((await read()).files).flatMap((file) => file.packages);
    const inside = (name: string) => packages.find((each) => each.name === name)?.inside;

    expect(inside('jsonpath-plus')).toContainEqual({
      name: 'jsep',
      version: '1.4.0',
      purl: 'pkg:npm/jsep@1.4.0',
    });
    expect(inside('undici')?.map(({ name }) => name)).toEqual(['llhttp', 'milo']);
    // Of another version what is inside may be another: look, and bring the list up to date.
    const bundled = packages.map(({ name, version }) => `${name}@${version}`);
    expect(Object.keys(INSIDE).filter((key) => !bundled.includes(key))).toEqual([]);
  });

  test('leaves out no dependency of its packages that was not looked for in their files', async () => {
    const packages = Object.values((await read()).files).flatMap((file) => file.packages);
    const named = new Set(
      packages.flatMap(({ name, inside = [] }) => [name, ...inside.map((code) => code.name)]),
    );
    const missing = Object.entries(lockfile.packages).flatMap(([path, entry]) => {
      const name = path.split('node_modules/').at(-1) ?? '';
      const dependencies = 'dependencies' in entry ? Object.keys(entry.dependencies) : [];
      return path !== '' && named.has(name) ? dependencies.filter((each) => !named.has(each)) : [];
    });

    // None of their code is there: types, and what is asked for only by files that are not bundled.
    expect([...new Set(missing)].sort()).toEqual(NOT_BUNDLED);
  });

  test('is not made of packages that are others than package-lock.json says', async () => {
    const root = join(folder, 'edited');
    const install = (name: string, version: string) => {
      mkdirSync(join(root, 'node_modules', name), { recursive: true });
      writeFileSync(join(root, 'node_modules', name, 'package.json'), JSON.stringify({ name, version }));
      return { version, integrity: `sha512-of-${name}` };
    };
    const packages = {
      'node_modules/esbuild': install('esbuild', '1.0.0'),
      'node_modules/other': { ...install('other', '1.0.1'), version: '1.0.0' },
    };
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ version: '1.0.0', packages }));
    writeFileSync(join(root, 'out.mjs'), '');

    const made = createProvenance(root, root, new Map([['out.mjs', [{ path: 'node_modules/other' }]]]));
    await expect(made).rejects.toThrow(
      'node_modules/other is other 1.0.1, and package-lock.json says 1.0.0: run npm ci',
    );
  });
});
