import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pages } from '../../bench/report/page.ts';
import { PROJECT } from './markdown.ts';

const RESULTS = join(PROJECT, 'bench/results.json');
const DOCS = join(PROJECT, 'docs');

test('the page of benchmarks and its plots say what bench/results.json says; without it, that there is nothing yet', () => {
  const made = pages(existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : undefined);
  const there = globSync(['benchmarks.md', 'benchmarks/*'], { cwd: DOCS });
  expect(there.toSorted()).toEqual([...made.keys()].toSorted());
  for (const [path, text] of made) expect(readFileSync(join(DOCS, path), 'utf8'), path).toBe(text);
});
