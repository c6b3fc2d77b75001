/** What is wrong with a graph of imports. */
import { circles } from './circles.ts';
import type { Arrow } from './imports.ts';
import { allFolders, partOf, problemOf } from './rules.ts';

/**
 * One sentence for each import past a face or up the layers, for each circle of files, and for each circle of the parts of a
 * folder. Imports of types count like others: who reads a file has to read what its types come from.
 */
export function problemsOf(files: readonly string[], arrows: readonly Arrow[]): readonly string[] {
  return [
    ...arrows.flatMap((arrow) => {
      const problem = problemOf(arrow);
      return problem === undefined ? [] : [`${arrow.from} imports ${arrow.to}: ${problem}`];
    }),
    ...circles(arrows.map(({ from, to }) => [from, to])).map(
      (circle) => `a circle of imports: ${circle.join(' -> ')}`,
    ),
    ...allFolders(files).flatMap((folder) => circlesOfParts(folder, arrows)),
  ];
}

function circlesOfParts(folder: string, arrows: readonly Arrow[]): readonly string[] {
  const edges = arrows
    .filter(({ from, to }) => [from, to].every((file) => file.startsWith(`${folder}/`)))
    .map(({ from, to }) => [partOf(from, folder), partOf(to, folder)] as const);
  return circles(edges).map((circle) => `a circle of rooms in ${folder}/: ${circle.join(' -> ')}`);
}
