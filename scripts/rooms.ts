/**
 * Checks that rooms are used by their faces, that layers are kept, and that nothing imports in a circle, types included.
 * `node scripts/rooms.ts figures` prints how large the rooms are and how many imports run within and between them.
 */
import { join } from 'node:path';
import { figures } from './rooms/figures.ts';
import { programFiles } from './rooms/files.ts';
import { arrowsOf } from './rooms/imports.ts';
import { problemsOf } from './rooms/problems.ts';

const ROOT = join(import.meta.dirname, '..');

const files = programFiles(ROOT);
const arrows = arrowsOf(ROOT, files);

if (process.argv[2] === 'figures') {
  process.stdout.write(figures(ROOT, files, arrows));
} else {
  const problems = problemsOf(files, arrows);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
