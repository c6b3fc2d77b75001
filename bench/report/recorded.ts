/** What the project has recorded of the cost of enforcement: the last full run, what people say of it, and the page of both. */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { printed } from './document.ts';
import { PLOT_FOLDER, pages } from './page.ts';
import type { Results } from './results.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const RESULTS = join(import.meta.dirname, '../results.json');

/** Written by people: why targets are missed, what was tried. Markdown without headings above the third level. */
const REMARKS = join(import.meta.dirname, '../remarks.md');

/** The page and its plots as they should be, by path from docs/. */
export function costPages(): ReadonlyMap<string, string> {
  const results = tryRead(RESULTS);
  return pages(results === undefined ? undefined : JSON.parse(results), tryRead(REMARKS));
}

/** Records a run: bench/results.json, and the page. */
export function record(results: Results): void {
  writeFileSync(RESULTS, printed(results));
  for (const plot of globSync(`${PLOT_FOLDER}/*.svg`, { cwd: DOCS })) rmSync(join(DOCS, plot));
  writePages(costPages());
}

/** Writes those of the pages that are not as they should be; returns their paths from docs/. */
export function writePages(wanted: ReadonlyMap<string, string>): readonly string[] {
  const stale = [...wanted].filter(([path, text]) => tryRead(join(DOCS, path)) !== text);
  for (const [path, text] of stale) {
    const file = join(DOCS, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return stale.map(([path]) => path);
}

/** The text of a file; undefined where there is none. */
export function tryRead(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
