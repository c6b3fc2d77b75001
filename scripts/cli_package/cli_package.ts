/**
 * The commands as a folder that npm can pack: one file that needs Node alone, with its licences. A lab is not in it: its pods run
 * the programs of a clone.
 */
import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { type BuiltPage, buildPage } from '../../cli/dashboard/index.ts';
import { bundleProgram } from '../bundle/bundle.ts';
import { licences } from '../bundle/licences.ts';
import { packageShares } from '../bundle/provenance.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The one file. */
export const CLI_FILE = 'sluice.mjs';

/** Names under which it is run: by people, by kubectl, and by kubectl for completion. */
export const CLI_NAMES = ['sluice', 'kubectl-sluice', 'kubectl_complete-sluice'] as const;

/** Rooms that are left out, by their faces, from the project's folder: they run programs, or load the addon, of a clone. */
const LEFT_OUT: readonly string[] = ['cli/lab/index.ts', 'lab/index.ts', 'sidecar/kernel/index.ts'];

/** The text of a module with the names of a face, each of which refuses to be used. */
function refusalOf(face: string): string {
  const names = [...face.matchAll(/export \{([^}]*)\} from/g)]
    .flatMap(([, list = '']) => list.split(','))
    .map((name) => name.trim())
    .filter((name) => /^[A-Za-z_]+$/.test(name));
  return `import { SluiceError } from ${JSON.stringify(join(ROOT, 'common/errors.ts'))};
const refuse = () => {
  throw new SluiceError('USAGE', 'this copy of the command has no lab and no sidecar: they need a clone of the repository');
};
const refusal = new Proxy(refuse, { get: (_, name) => (name === 'shape' ? undefined : refusal), construct: refuse });
export { ${names.map((name) => `refusal as ${name}`).join(', ')} };
`;
}

const WITHOUT_LAB: Plugin = {
  name: 'without-lab',
  setup({ onLoad }) {
    onLoad({ filter: /index\.ts$/ }, async ({ path }) =>
      LEFT_OUT.includes(path.slice(ROOT.length + 1))
        ? { contents: refusalOf(await readFile(path, 'utf8')), loader: 'ts', resolveDir: ROOT }
        : undefined,
    );
  },
};

/** The module of the dashboard's page, with the page itself in place of what makes it. */
const PAGE_MODULE = 'cli/dashboard/page_files.ts';

function withPage({ files }: BuiltPage): Plugin {
  const made = [...files].map(([path, { type, body }]) => [path, { type, body: body.toString('utf8') }]);
  const contents = `const files = ${JSON.stringify(made)};
export const pageFiles = async () => new Map(files.map(([path, { type, body }]) => [path, { type, body: Buffer.from(body) }]));
`;
  return {
    name: 'with-page',
    setup({ onLoad }) {
      onLoad({ filter: /page_files\.ts$/ }, ({ path }) =>
        path === join(ROOT, PAGE_MODULE) ? { contents, loader: 'js' } : undefined,
      );
    },
  };
}

/** The face of the dashboard also makes the page, which a package does not. */
const WITHOUT_BUILD: Plugin = {
  name: 'without-build',
  setup({ onLoad }) {
    onLoad({ filter: /build_page\.ts$/ }, () => ({
      contents: 'export const buildPage = undefined;',
      loader: 'js',
    }));
  },
};

/** Empties `folder` and fills it. @returns the size of the one file, bytes */
export async function packageCli(folder: string): Promise<{ readonly bytes: number }> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const file = join(folder, CLI_FILE);
  const page = await buildPage();
  const { output } = await bundleProgram('cli', file, {
    plugins: [WITHOUT_LAB, WITHOUT_BUILD, withPage(page)],
    firstLine: '#!/usr/bin/env node\n',
  });
  await chmod(file, 0o755);
  const { name, version, description, license } = await ownPackage();
  const manifest = {
    name,
    version,
    description,
    license,
    type: 'module',
    // What it is made for and tried on; see package.json of the project.
    engines: { node: '>=24' },
    bin: Object.fromEntries(CLI_NAMES.map((name) => [name, `./${CLI_FILE}`])),
  };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(
    join(folder, 'LICENSES-third-party.txt'),
    await licences(ROOT, [...packageShares(output), ...page.outputs.flatMap(packageShares)]),
  );
  await copyFile(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  return { bytes: (await stat(file)).size };
}

async function ownPackage(): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
}
