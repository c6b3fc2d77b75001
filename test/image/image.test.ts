/**
 * The image, built from the Dockerfile on bases that are made here of Debian's packages: what is in it runs, and its bill
 * of materials lists all of it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TERMINATION_FILE } from '../../common/contract.ts';
import { redirectContainer } from '../../injector/admission/injection/containers.ts';
import manifest from '../../package.json' with { type: 'json' };
import { bundle, PROGRAMS, THREADS } from '../../scripts/bundle/bundle.ts';
import type { Provenance } from '../../scripts/bundle/provenance.ts';
import type { Bom, Component } from '../../scripts/image/sbom.ts';
import { config, preStopCommand } from '../builders/admitted_pods.ts';

/** Source: OCI image-spec, `config`. */
interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

const ROOT = join(import.meta.dirname, '../..');
const REVISION = '0123456789abcdef0123456789abcdef01234567';
const IMAGE = 'localhost/sluice:test';

const folder = mkdtempSync(join(tmpdir(), 'sluice-image-'));
/** Storage of its own; and no container runtime, which a build in a container has none of. */
const env = {
  ...process.env,
  BUILDAH_ISOLATION: 'chroot',
  CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
};
/** The image's files. */
let root = '';
let bom: Bom;

async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd: ROOT, env, maxBuffer: 2 ** 28 });
  return stdout;
}

/** A program of the image, among the image's files alone and as its own user. */
async function inImage(...words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('chroot', ['--userspec=65532:65532', root, ...words], {
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  return stdout;
}

beforeAll(async () => {
  const storage = [
    'driver = "overlay"',
    ...['runroot', 'graphroot'].map((key) => `${key} = "${folder}/${key}"`),
  ];
  writeFileSync(join(folder, 'storage.conf'), `[storage]\n${storage.join('\n')}\n`);
  const bases = (await run('sh', 'scripts/image/local_bases.sh')).trim().split(' ');
  const revision = ['--build-arg', `REVISION=${REVISION}`];
  await run('buildah', 'bud', '--pull-never', ...bases, ...revision, '--tag', IMAGE, '.');
  const container = (await run('buildah', 'from', '--pull-never', IMAGE)).trim();
  root = (await run('buildah', 'mount', container)).trim();
  bom = JSON.parse(readFileSync(join(root, 'sluice/sbom.cdx.json'), 'utf8')) as Bom;
});

afterAll(async () => {
  await run('buildah', 'rm', '--all').catch(() => undefined);
  await run('buildah', 'rmi', '--all', '--force').catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

describe('the image', () => {
  test('runs the command that injection gives to containers', async () => {
    const plan = { config: config(), environment: {}, resources: config().resources, graceSeconds: 30 };
    const command = redirectContainer(plan).command as readonly string[];

    expect(await inImage(...command, '--help')).toContain('redirect apply');
    // By this the command of a native sidecar knows that the image needs no step before it.
    await inImage('sh', '-c', 'grep -qs SLUICE_REDIRECT /sluice/sidecar.mjs');
    expect(await inImage('node', '--disable-sigusr1', '/sluice/injector.mjs', '--help')).toMatch(/^usage: /);
  });

  test('has what the preStop hook of the sidecar runs', async () => {
    await inImage('env', 'SLUICE_STATE_DIR=/tmp', ...preStopCommand());

    const noted = join(root, 'tmp', TERMINATION_FILE);
    expect(existsSync(noted)).toBe(true);
    rmSync(noted);
  });

  test('has the pinned Node, in which the addon loads', async () => {
    const load = "console.log(process.version, Object.keys(require('/sluice/sluice.node')).length > 0)";

    expect(await inImage('node', '-e', load)).toBe(`${process.version} true\n`);
  });

  test('has the bundles that these sources make, byte for byte', async () => {
    await bundle(join(folder, 'dist'));
    for (const name of [...PROGRAMS, ...THREADS].map((program) => `${program}.mjs`))
      expect(sha256(join(root, 'sluice', name)), name).toBe(sha256(join(folder, 'dist', name)));
  });

  test('has the tools that the sidecar calls, and both back ends of iptables', async () => {
    const tools = ['nft', 'ip', 'iptables-nft', 'iptables-legacy', 'ip6tables-nft', 'ip6tables-legacy'];
    for (const tool of tools) expect(await inImage(tool, tool === 'ip' ? '-V' : '--version')).toContain(' ');
  });

  test('is of a user without rights, says what it was made of, and takes no options for Node from a base', async () => {
    const text = await run('buildah', 'inspect', '--type', 'image', IMAGE);
    const { User, Env, Labels } = (JSON.parse(text) as { OCIv1: { config: ImageConfig } }).OCIv1.config;
    expect(User).toBe('65532:65532');
    expect(Env).toContain('NODE_OPTIONS=');
    expect(Labels).toMatchObject({
      'org.opencontainers.image.version': manifest.version,
      'org.opencontainers.image.revision': REVISION,
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.base.name': 'localhost/sluice-debian:bookworm',
    });
  });

  test('has the licence of Sluice, of every package in a bundle, of Node and of every package of Debian', () => {
    const text = (name: string) => readFileSync(join(root, 'sluice', name), 'utf8');
    expect(text('LICENSE')).toContain('Apache License');
    expect(text('LICENSE-node.txt')).toContain('Node.js is licensed for use as follows');
    const thirdParty = text('LICENSES-third-party.txt');
    for (const { name, version } of bundledPackages()) expect(thirdParty).toContain(`${name} ${version} (`);
    const without = components('pkg:deb/').filter(
      ({ name }) => !existsSync(join(root, 'usr/share/doc', name, 'copyright')),
    );
    expect(without).toEqual([]);
  });
});

describe('its bill of materials', () => {
  test('lists every package of Debian that is installed, and no other', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
    const installed = await inImage('dpkg-query', '-W', '-f', '${Package} ${Version} ${Architecture}\n');
    const listed = components('pkg:deb/').map(
      ({ name, version, purl = '' }) => `${name} ${version} ${/arch=(\w+)/.exec(purl)?.[1]}`,
    );
    expect(listed.sort()).toEqual(installed.trim().split('\n').sort());
    expect(bom.components).toContainEqual(
      expect.objectContaining({ type: 'operating-system', version: '12' }),
    );
  });

  test('lists every package that went into a bundle, and Node, and no other of npm', () => {
    const inside = bundledPackages().flatMap(({ name, version, inside: others = [] }) => [
      `${name}@${version}`,
      ...others
        .filter(({ purl }) => purl.startsWith('pkg:npm/'))
        .map((code) => `${name}@${version}:${code.name}`),
    ]);
    const node = `node-linux-${process.arch}@${process.versions.node}`;

    const listed = components('pkg:npm/').map((component) => component['bom-ref']);
    expect(listed.sort()).toEqual([...new Set([...inside, node])].sort());
  });

  test('lists the libraries that are built into Node', async () => {
    const versions = await inImage('node', '-p', 'JSON.stringify(process.versions)');
    const { openssl, zlib } = JSON.parse(versions) as Record<string, string>;

    expect(components('pkg:generic/')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'openssl', version: openssl }),
        expect.objectContaining({ name: 'zlib', version: zlib }),
      ]),
    );
  });

  test('has the hashes of package-lock.json for what came from npm, and a licence', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Readonly<Record<string, { version: string; integrity?: string }>>;
    };
    const locked = new Set(
      Object.entries(packages).map(
        ([path, { version, integrity }]) => `${path.split('node_modules/').at(-1)}@${version} ${integrity}`,
      ),
    );
    // Not what is inside others, of which npm knows nothing.
    const fromNpm = components('pkg:npm/').filter((component) => !component['bom-ref'].includes(':'));
    for (const component of fromNpm) {
      const [hash] = component.hashes ?? [];
      const integrity = `sha512-${Buffer.from(hash?.content ?? '', 'hex').toString('base64')}`;
      expect(locked).toContain(`${component['bom-ref']} ${integrity}`);
      expect(component.licenses, component['bom-ref']).toEqual([expect.anything()]);
      expect(component.scope).toBe('required'); // `optional` would say that it may be missing
    }
  });

  test('has the files that run, by their hashes, and which packages are in each', () => {
    const files = bom.components.filter(({ type }) => type === 'file');
    expect(files.map(({ name }) => name).sort()).toEqual(
      [
        '/sluice/collector.mjs',
        '/sluice/injector.mjs',
        '/sluice/sidecar.mjs',
        '/sluice/sluice.node',
        '/usr/local/bin/node',
      ].sort(),
    );
    for (const { name, hashes } of files)
      expect(hashes).toEqual([{ alg: 'SHA-256', content: sha256(join(root, name)) }]);
    const needed = bom.dependencies.find(({ ref }) => ref === '/sluice/sluice.node')?.dependsOn;
    expect(needed).toEqual([expect.stringMatching(/^node-api-headers@/)]);
    expect(sha256(join(root, 'usr/local/bin/node'))).toBe(sha256(join(ROOT, 'node_modules/.bin/node')));
  });

  test('names each component once, and depends on nothing that it does not name', () => {
    const names = [bom.metadata.component, ...bom.components].map((component) => component['bom-ref']);
    expect(new Set(names).size).toBe(names.length);
    const referred = bom.dependencies.flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn]);
    expect(referred.filter((reference) => !names.includes(reference))).toEqual([]);
  });

  test('leaves out nothing that can be run or loaded: each such file is of a listed package, or listed itself', () => {
    const owned = new Set<string>();
    const info = join(root, 'var/lib/dpkg/info');
    for (const list of readdirSync(info).filter((name) => name.endsWith('.list')))
      for (const path of readFileSync(join(info, list), 'utf8').split('\n'))
        if (path !== '') owned.add(resolved(path));
    const listed = new Set(bom.components.map(({ name }) => name));
    const others = programs('/').filter((path) => !owned.has(path) && !listed.has(path));
    // dpkg's own scripts of packages, and what buildah puts there for its steps.
    const known = /^\/var\/lib\/dpkg\/info\/|^\/etc\/(hosts|hostname|resolv\.conf)$/;
    expect(others.filter((path) => !known.test(path))).toEqual([]);
  });

  test('leaves out no file of /sluice but texts: licences, and the lists themselves', () => {
    const listed = bom.components.map(({ name }) => name);
    const others = readdirSync(join(root, 'sluice')).filter((name) => !listed.includes(`/sluice/${name}`));
    expect(others.sort()).toEqual(
      ['LICENSE', 'LICENSE-node.txt', 'LICENSES-third-party.txt', 'provenance.json', 'sbom.cdx.json'].sort(),
    );
  });
});

function components(purl: string): readonly Component[] {
  return bom.components.filter((component) => component.purl?.startsWith(purl));
}

/** As the bundler says what it wrote. */
function bundledPackages() {
  const { files } = JSON.parse(readFileSync(join(root, 'sluice/provenance.json'), 'utf8')) as Provenance;
  return Object.values(files).flatMap(({ packages }) => packages);
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** A path of the image with the links among its folders followed, such as /bin. */
function resolved(path: string): string {
  const parent = join(root, dirname(path));
  if (!existsSync(parent)) return path;
  return join('/', relative(root, realpathSync(parent)), path.split('/').at(-1) ?? '');
}

/** Executable files and libraries below a folder of the image. */
function programs(path: string): readonly string[] {
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) return ['/proc', '/sys', '/dev'].includes(inner) ? [] : programs(inner);
    if (!entry.isFile()) return [];
    const isProgram =
      (statSync(join(root, inner)).mode & 0o111) !== 0 || /\.so(\.\d+)*$|\.node$/.test(entry.name);
    return isProgram ? [inner] : [];
  });
}
