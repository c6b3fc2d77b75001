/** What the Dockerfile says; test/image/ builds it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { ROOT, tool } from './render.ts';

const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
const [, tools = '', build = ''] = dockerfile.split(/^FROM .*$/m);

test('hadolint finds nothing', async () => {
  expect(await tool('hadolint', 'Dockerfile')).toBe('');
});

test('every base is an argument whose default is pinned by its digest, or a stage of the file', () => {
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base = '']) => base);
  const pinned = [...dockerfile.matchAll(/^ARG (\w+)=\S+:\S+@sha256:[0-9a-f]{64}$/gm)].map(
    ([, name]) => `\${${name}}`,
  );
  const stages = [...dockerfile.matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, name]) => name);

  expect(bases.length).toBeGreaterThan(2);
  expect(bases.filter((base) => !pinned.includes(base) && !stages.includes(base))).toEqual([]);
  // Nor is the file read by a front end that a tag names.
  expect(dockerfile).not.toMatch(/^# *syntax=/m);
});

test('its label has the version of package.json', () => {
  expect(dockerfile).toContain(`org.opencontainers.image.version="${manifest.version}"`);
});

test('.dockerignore lets in what is copied, and no more', () => {
  const admitted = readFileSync(join(ROOT, '.dockerignore'), 'utf8').match(/(?<=^!).+/gm) ?? [];
  const copied = [...build.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) =>
    sources.split(' '),
  );

  expect([...admitted].sort()).toEqual(copied.sort());
});

test('the image has the packages whose tools the sidecar runs', () => {
  const called = readFileSync(join(ROOT, 'sidecar/kernel/tools.ts'), 'utf8');
  const packages = [...called.matchAll(/^ {2}\['\w+', '(\w+)'\]/gm)].map(([, name]) => name);

  expect(packages.length).toBeGreaterThan(0);
  // Without /etc/protocols nft refuses the gate's rules: "Could not resolve protocol name".
  for (const name of [...packages, 'netbase']) expect(tools).toMatch(new RegExp(`install .*\\b${name}\\b`));
});
