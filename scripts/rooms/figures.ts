/** How large rooms are, and what runs between them. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Arrow } from './imports.ts';
import { partOf, topOf } from './rules.ts';

const LONGEST_SHOWN = 12;

/** A table of rooms, a line for each top folder, and the longest files. */
export function figures(root: string, files: readonly string[], arrows: readonly Arrow[]): string {
  const rooms = Map.groupBy(files, (file) => dirname(file));
  const lines = ['room                          files  lines  arrows within'];
  const lengths = new Map(
    files.map((file) => [file, readFileSync(join(root, file), 'utf8').split('\n').length - 1]),
  );
  for (const [room, own] of [...rooms].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const within = arrows.filter(({ from, to }) => dirname(from) === room && dirname(to) === room).length;
    const length = own.reduce((sum, file) => sum + (lengths.get(file) ?? 0), 0);
    lines.push(
      `${room.padEnd(30)}${`${own.length}`.padStart(5)}${`${length}`.padStart(7)}${`${within}`.padStart(15)}`,
    );
  }
  lines.push('', 'top folder          parts  arrows between its parts');
  for (const [top, own] of Map.groupBy(files, topOf)) {
    const parts = new Set(own.map((file) => partOf(file, top)));
    const between = new Set(
      arrows
        .filter(({ from, to }) => topOf(from) === top && topOf(to) === top)
        .map(({ from, to }) => `${partOf(from, top)} ${partOf(to, top)}`)
        .filter((pair) => new Set(pair.split(' ')).size === 2),
    );
    lines.push(`${top.padEnd(20)}${`${parts.size}`.padStart(5)}${`${between.size}`.padStart(8)}`);
  }
  lines.push('', 'longest files');
  for (const [file, length] of [...lengths].sort(([, a], [, b]) => b - a).slice(0, LONGEST_SHOWN))
    lines.push(`${`${length}`.padStart(5)} ${file}`);
  return `${lines.join('\n')}\n`;
}
