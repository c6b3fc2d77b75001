/** Makes the page of its sources: a script, its worker and a style, each of one file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import type { PageFile } from './page_file.ts';

const PAGE = join(import.meta.dirname, 'page');

const ROOT = join(import.meta.dirname, '../..');

/** Browsers of the last two years. */
const TARGET = ['chrome120', 'firefox121', 'safari17'];

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

/** The page. */
export interface BuiltPage {
  /** By path. */
  readonly files: ReadonlyMap<string, PageFile>;
  /** What each script and style was made of, by paths from the project's folder. */
  readonly outputs: readonly Metafile['outputs'][string][];
}

/** Takes some tenths of a second. */
export async function buildPage(): Promise<BuiltPage> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      page: join(PAGE, 'main.tsx'),
      worker: join(PAGE, 'map/worker.ts'),
      style: join(PAGE, 'style/style.css'),
    },
    outdir: 'page',
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'iife',
    platform: 'browser',
    target: TARGET,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    tsconfigRaw: {},
    logLevel: 'silent',
  });
  const files = new Map<string, PageFile>();
  for (const { path, contents } of outputFiles) {
    const name = path.slice(path.lastIndexOf('/'));
    files.set(name, { type: TYPES[name.split('.').at(-1) ?? ''] ?? '', body: Buffer.from(contents) });
  }
  const index = { type: 'text/html; charset=utf-8', body: await readFile(join(PAGE, 'index.html')) };
  files.set('/', index);
  files.set('/icon.svg', { type: 'image/svg+xml', body: await readFile(join(PAGE, 'icon.svg')) });
  return { files, outputs: Object.values(metafile.outputs) };
}
