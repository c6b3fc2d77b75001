/** What the project has recorded of the control plane's limits: the last full run, what people say of it, and the page of both. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printed } from '../report/document.ts';
import { tryRead, writePages } from '../report/recorded.ts';
import { scalePage } from './page.ts';
import type { ScaleResults } from './results.ts';

const RESULTS = join(import.meta.dirname, '../scale.json');

/** Written by people: the profile of what is not reached, and what was tried. Markdown without headings above the third level. */
const REMARKS = join(import.meta.dirname, '../scale_remarks.md');

/** The page's path from docs/. */
const PAGE = 'benchmarks/scale.md';

/** The page as it should be, by its path from docs/. */
export function scalePages(): ReadonlyMap<string, string> {
  const results = tryRead(RESULTS);
  return new Map([
    [PAGE, scalePage(results === undefined ? undefined : JSON.parse(results), tryRead(REMARKS))],
  ]);
}

/** Records a run: bench/scale.json, and the page. */
export function recordScale(results: ScaleResults): void {
  writeFileSync(RESULTS, printed(results));
  writePages(scalePages());
}
