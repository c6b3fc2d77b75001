/**
 * Checks that rooms are used by their faces, that layers are kept, and that nothing imports in a circle, types included.
 * `node scripts/rooms.ts figures` prints how large the rooms are and how many imports run within and between them.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { circles } from './rooms/circles.ts';
import { figures } from './rooms/figures.ts';
import { arrowsOf } from './rooms/imports.ts';
import { allFolders, LAYERS, partOf, problemOf, topOf } from './rooms/rules.ts';

const ROOT = join(import.meta.dirname, '..');

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate', '--', '*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => topOf(file) in LAYERS);
const arrows = arrowsOf(ROOT, files);

if (process.argv[2] === 'figures') {
  process.stdout.write(figures(ROOT, files, arrows));
} else {
  const problems = arrows.flatMap((arrow) => {
    const problem = problemOf(arrow);
    return problem === undefined ? [] : [`${arrow.from} imports ${arrow.to}: ${problem}`];
  });
  for (const circle of circles(arrows.map(({ from, to }) => [from, to])))
    problems.push(`a circle of imports: ${circle.join(' -> ')}`);
  for (const folder of allFolders(files)) {
    const inside = arrows.filter(({ from, to }) => [from, to].every((file) => file.startsWith(`${folder}/`)));
    const edges = inside.map(({ from, to }) => [partOf(from, folder), partOf(to, folder)] as const);
    for (const circle of circles(edges))
      problems.push(`a circle of rooms in ${folder}/: ${circle.join(' -> ')}`);
  }
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
