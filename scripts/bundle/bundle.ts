/**
 * One JavaScript file for each program, and the native addon beside them: what an image needs besides Node.
 * Stripping types while the sidecar starts costs 17 MB resident in every pod; a bundle costs none.
 */
import { copyFile, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { licences } from './licences.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Programs that run in pods; each entry becomes `NAME.mjs`. */
export const PROGRAMS = ['sidecar', 'injector'] as const;

/** Packages that are CommonJS ask for Node's own modules with `require`, which a module does not have. */
const REQUIRE =
  "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);";

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

/** A file that was made. */
export interface BundledFile {
  readonly file: string;
  readonly bytes: number;
}

/**
 * Makes `folder` anew. The addon has to be built before.
 * @returns the files in it, by name
 */
export async function bundle(folder: string): Promise<readonly BundledFile[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const sources: string[] = [];
  for (const program of PROGRAMS)
    sources.push(...(await bundleProgram(program, join(folder, `${program}.mjs`))));
  await writeFile(join(folder, 'LICENSES-third-party.txt'), await licences(ROOT, sources));
  await copyFile(join(ROOT, 'native/build/sluice.node'), join(folder, 'sluice.node'));
  const files = (await readdir(folder)).sort();
  return await Promise.all(
    files.map(async (file) => ({ file, bytes: (await stat(join(folder, file))).size })),
  );
}

/** @returns the source files that went in, from the project's folder, such as `sidecar/main.ts` */
export async function bundleProgram(
  program: (typeof PROGRAMS)[number],
  outfile: string,
): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [join(ROOT, program, 'main.ts')],
    absWorkingDir: ROOT,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Names stay: stacks and error classes are read by people. White space and dead branches go.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none', // LICENSES-third-party.txt has them in full
    banner: { js: REQUIRE },
    plugins: [UNUSED_METRICS],
    metafile: true,
    logLevel: 'warning',
  });
  return Object.keys(metafile.inputs).map((path) => relative(ROOT, join(ROOT, path)));
}
