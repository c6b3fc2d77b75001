/**
 * `npm run docs`: writes the generated parts of the reference pages, and the pages of the last recorded benchmarks.
 * Tests keep them equal to the code and to the record.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeRecordedPages } from '../bench/recorded.ts';
import { generatePages, PROJECT } from './docs/pages.ts';

for (const { path, committed, generated } of await generatePages()) {
  if (committed === generated) continue;
  await writeFile(join(PROJECT, path), generated);
  process.stdout.write(`${path} brought up to date\n`);
}
for (const path of writeRecordedPages()) process.stdout.write(`docs/${path} brought up to date\n`);
