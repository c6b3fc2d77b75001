/**
 * One JavaScript file for each program, and the native addon beside them: what an image needs besides Node.
 * Stripping types while the sidecar starts costs 17 MB resident in every pod; a bundle costs none.
 */
import { copyFile, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { licences } from './licences.ts';
import { type BundleOutput, createProvenance, type PackageShare, packageShares } from './provenance.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What is bundled, by its entry. Each becomes `NAME.mjs`. */
const ENTRIES = {
  sidecar: 'sidecar/main.ts',
  injector: 'injector/main.ts',
  collector: 'injector/collector/worker/worker.ts',
  cli: 'cli/main.ts',
} as const;

/** Programs that run in pods. */
export const PROGRAMS = ['sidecar', 'injector'] as const;

/** Files that a program starts a thread from: they stand beside it. */
export const THREADS = ['collector'] as const;

/** Packages that are CommonJS ask for Node's own modules with `require`, which a module does not have. */
const REQUIRE = "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);";

/**
 * Parts of prom-client that no program here uses. They load node:https, node:cluster and OpenTelemetry: 13 MB resident.
 */
const UNUSED_METRICS: Plugin = {
  name: 'unused-metrics',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/lib\/(pushgateway|cluster|defaultMetrics|summary)$/ }, ({ path, importer }) =>
      importer.includes('/prom-client/') ? { path, namespace: 'unused' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = undefined;' }));
  },
};

/**
 * Node's own modules are taken when what uses them is, and as they are. An import statement loads all of them at the start, and
 * reads every property of each, which loads what Node itself leaves for later: streams, web crypto, web streams. That is a third of
 * the processor time until the first line of ours runs. Source: `syncExports` in Node's lib/internal/bootstrap/realm.js.
 */
const LATE_BUILTINS: Plugin = {
  name: 'late-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** What the addon is compiled against; see native/build.sh. */
const ADDON_HEADERS = 'node_modules/node-api-headers';

/** A file that was made. */
export interface BundledFile {
  readonly file: string;
  readonly bytes: number;
}

/**
 * Empties `folder` and fills it. The addon has to be built before.
 * @returns the files in it, by name
 */
export async function bundle(folder: string): Promise<readonly BundledFile[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const shares = new Map<string, readonly PackageShare[]>();
  for (const program of [...PROGRAMS, ...THREADS]) {
    const { output } = await bundleProgram(program, join(folder, `${program}.mjs`));
    shares.set(`${program}.mjs`, packageShares(output));
  }
  await copyFile(join(ROOT, 'native/build/sluice.node'), join(folder, 'sluice.node'));
  shares.set('sluice.node', [{ path: ADDON_HEADERS }]);
  const provenance = await createProvenance(ROOT, folder, shares);
  await writeFile(join(folder, 'provenance.json'), `${JSON.stringify(provenance, null, 2)}\n`);
  await writeFile(
    join(folder, 'LICENSES-third-party.txt'),
    await licences(ROOT, [...shares.values()].flat()),
  );
  await copyFile(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  const files = (await readdir(folder)).sort();
  return await Promise.all(
    files.map(async (file) => ({ file, bytes: (await stat(join(folder, file))).size })),
  );
}

/** A program's bundle. */
export interface Bundled {
  /** Files that were read for it, from the project's folder, such as `sidecar/main.ts`. */
  readonly sources: readonly string[];
  /** The bundler's own account of what it wrote. */
  readonly output: BundleOutput;
}

/**
 * @param outfile where it goes
 * @param more for the commands: what stands before all else, such as `#!`, and further plugins
 */
export async function bundleProgram(
  program: keyof typeof ENTRIES,
  outfile: string,
  more: { readonly plugins?: readonly Plugin[]; readonly firstLine?: string } = {},
): Promise<Bundled> {
  const { metafile } = await build({
    entryPoints: [join(ROOT, ENTRIES[program])],
    absWorkingDir: ROOT,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // What `debug` takes where it is there: only tools of developers bring it along.
    external: ['supports-color'],
    // The same wherever it is made: the build of the image has no tsconfig.json. Imports stay, as with Node's type stripping.
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    // Names stay: stacks and error classes are read by people. White space and dead branches go.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none', // LICENSES-third-party.txt has them in full
    banner: { js: `${more.firstLine ?? ''}${REQUIRE}` },
    plugins: [UNUSED_METRICS, LATE_BUILTINS, ...(more.plugins ?? [])],
    metafile: true,
    logLevel: 'warning',
  });
  const [output] = Object.values(metafile.outputs);
  if (output === undefined) throw new Error(`esbuild wrote nothing for ${program}`);
  return { sources: Object.keys(metafile.inputs).map((path) => relative(ROOT, join(ROOT, path))), output };
}
