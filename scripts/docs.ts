/** `npm run docs`: makes the generated parts of the reference pages anew. A test keeps them equal to the code. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatePages, PROJECT } from './docs/pages.ts';

for (const { path, committed, generated } of await generatePages()) {
  if (committed === generated) continue;
  await writeFile(join(PROJECT, path), generated);
  process.stdout.write(`${path} brought up to date\n`);
}
