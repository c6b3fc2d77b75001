/**
 * What can be known of the image without building it: the Dockerfile is sound, and its steps, done in a folder, give
 * programs that start from what is copied.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { redirectContainer } from '../../injector/admission/containers.ts';
import { config } from '../unit/injector/admission/pod_builder.ts';
import { ROOT, tool } from './render.ts';

const run = promisify(execFile);
const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
const [, build = '', image = ''] = dockerfile.split(/^FROM .*$/m);

/** `COPY` lines: what is copied, and where to. */
function copies(stage: string): { readonly sources: readonly string[]; readonly target: string }[] {
  return [...stage.matchAll(/^COPY (?:--from=\S+ )?(.+)$/gm)].map(([, words = '']) => {
    const paths = words.split(' ');
    return { sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
  });
}

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-image-'));
  const src = join(folder, 'src');
  mkdirSync(src);
  for (const { sources, target } of copies(build))
    for (const source of sources)
      cpSync(join(ROOT, source), join(src, target === './' ? source : target), { recursive: true });
  rmSync(join(src, 'native/build'), { recursive: true, force: true }); // .dockerignore leaves it out
  symlinkSync(join(ROOT, 'node_modules'), join(src, 'node_modules')); // npm ci
  await run('npm', ['run', '-s', 'bundle'], { cwd: src });
  for (const { sources, target } of copies(image))
    for (const source of sources)
      cpSync(join(folder, source), join(folder, 'image', target), { recursive: true, dereference: true });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('hadolint finds nothing', async () => {
  expect(await tool('hadolint', 'Dockerfile')).toBe('');
});

test('.dockerignore lets in what is copied, and no more', () => {
  const admitted = readFileSync(join(ROOT, '.dockerignore'), 'utf8').match(/(?<=^!).+/gm) ?? [];

  expect([...admitted].sort()).toEqual(
    copies(build)
      .flatMap(({ sources }) => [...sources])
      .sort(),
  );
});

test("the containers' command is in the image, and runs there with nothing but the image's files", async () => {
  const plan = { config: config(), environment: {}, resources: config().resources, graceSeconds: 30 };
  const [program = '', flag = '', script = ''] = redirectContainer(plan).command as readonly string[];

  const node = join(folder, 'image/usr/local/bin', program);
  const { stdout } = await run(node, [flag, join(folder, 'image', script), '--help'], { cwd: '/', env: {} });
  expect(stdout).toContain('redirect apply');
});

test('the addon loads from beside the bundle, in the Node of the image', async () => {
  expect(existsSync(join(folder, 'image/sluice/sluice.node'))).toBe(true);
  const load = "console.log(Object.keys(require('/proc/self/cwd/sluice.node')).length > 0)";

  const { stdout } = await run(join(folder, 'image/usr/local/bin/node'), ['-e', load], {
    cwd: join(folder, 'image/sluice'),
    env: {},
  });
  expect(stdout.trim()).toBe('true');
});

test('Node and the addon need no library that Debian’s slim image lacks', async () => {
  // Of libc6, libgcc-s1 and libstdc++6, which apt itself needs.
  const there = /^(linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+))[-.]/;
  for (const file of ['usr/local/bin/node', 'sluice/sluice.node']) {
    const { stdout } = await run('ldd', [join(folder, 'image', file)]);
    const libraries = [...stdout.matchAll(/^\s*(\S+)/gm)].map(
      ([, path = '']) => path.split('/').at(-1) ?? '',
    );
    expect(libraries.length).toBeGreaterThan(1);
    expect(libraries.filter((name) => !there.test(name))).toEqual([]);
  }
});

test('the image has the packages whose tools the sidecar runs', () => {
  const tools = readFileSync(join(ROOT, 'sidecar/tools.ts'), 'utf8');
  const packages = [...tools.matchAll(/^ {2}\['\w+', '(\w+)'\]/gm)].map(([, name]) => name);

  expect(packages.length).toBeGreaterThan(0);
  // Without /etc/protocols nft refuses the gate's rules: "Could not resolve protocol name".
  for (const name of [...packages, 'netbase']) expect(image).toMatch(new RegExp(`install .*\\b${name}\\b`));
});
