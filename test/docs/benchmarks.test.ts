import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordedPages } from '../../bench/recorded.ts';
import { PROJECT } from './markdown.ts';

const DOCS = join(PROJECT, 'docs');

test('the pages of benchmarks and their plots say what is recorded of the last full runs (npm run docs)', () => {
  const recorded = recordedPages();
  const there = globSync(['benchmarks.md', 'benchmarks/*'], { cwd: DOCS });
  expect(there.toSorted()).toEqual([...recorded.keys()].toSorted());
  for (const [path, text] of recorded) expect(readFileSync(join(DOCS, path), 'utf8'), path).toBe(text);
});
