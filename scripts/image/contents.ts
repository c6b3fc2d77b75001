/**
 * `npm run image:contents -- TOOLS TARGET`: lays out what the image has besides Debian's packages. Part of the Dockerfile,
 * after `npm run bundle`. TOOLS is a folder with the image's dpkg `status` and `os-release`.
 */
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Provenance, sha256Of } from '../bundle/provenance.ts';
import { debianPackages, debianRelease } from './debian.ts';
import { type Bom, imageBom } from './sbom.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The package whose Node this runs on. */
const NODE = join(ROOT, `node_modules/node-linux-${process.arch}`);

const [tools, target] = process.argv.slice(2);
if (tools === undefined || target === undefined) {
  process.stderr.write('usage: npm run image:contents -- TOOLS TARGET\n');
  process.exit(2);
}

// All packages of the lockfile: with `--omit dev` npm leaves out some that others than development need, too.
const npm = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
const { stdout } = await promisify(execFile)('npm', npm, { cwd: ROOT, maxBuffer: 2 ** 26 });
const bom = imageBom(
  JSON.parse(stdout) as Bom,
  JSON.parse(await readFile(join(ROOT, 'dist/provenance.json'), 'utf8')) as Provenance,
  {
    name: `node-linux-${process.arch}`,
    version: process.versions.node,
    sha256: await sha256Of(join(NODE, 'bin/node')),
    versions: process.versions,
  },
  debianPackages(await readFile(join(tools, 'status'), 'utf8')),
  debianRelease(await readFile(join(tools, 'os-release'), 'utf8')),
);

const sluice = join(target, 'sluice');
await cp(join(ROOT, 'dist'), sluice, { recursive: true });
await copyFile(join(NODE, 'LICENSE'), join(sluice, 'LICENSE-node.txt'));
await writeFile(join(sluice, 'sbom.cdx.json'), `${JSON.stringify(bom, null, 2)}\n`);
await mkdir(join(target, 'usr/local/bin'), { recursive: true });
await copyFile(join(NODE, 'bin/node'), join(target, 'usr/local/bin/node'));
