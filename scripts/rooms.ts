/**
 * Checks that rooms are used by their faces, that layers are kept, and that nothing imports in a circle, types included.
 * `node scripts/rooms.ts figures` prints how large the rooms are and how many imports run within and between them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { figures } from './rooms/figures.ts';
import { arrowsOf } from './rooms/imports.ts';
import { problemsOf } from './rooms/problems.ts';
import { LAYERS, topOf } from './rooms/rules.ts';

const ROOT = join(import.meta.dirname, '..');

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate', '--', '*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => topOf(file) in LAYERS && existsSync(join(ROOT, file)));
const arrows = arrowsOf(ROOT, files);

if (process.argv[2] === 'figures') {
  process.stdout.write(figures(ROOT, files, arrows));
} else {
  const problems = problemsOf(files, arrows);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
