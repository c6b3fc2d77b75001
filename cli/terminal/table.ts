/** Tables of text. */
import { printable } from '../../common/printable.ts';

/** Columns of the terminal that standard output is; undefined in a pipe, where lines have any length. */
function terminalWidth(stream: NodeJS.WriteStream = process.stdout): number | undefined {
  return stream.isTTY ? stream.columns : undefined;
}

/** Between two columns. */
const GAP = '  ';

/**
 * Rows as aligned columns, a line end behind each. On a terminal what does not fit is cut, with `…` at the end.
 * @param width default: that of the terminal
 */
export function tableText(rows: readonly (readonly string[])[], width = terminalWidth()): string {
  const cells = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of cells)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return cells
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${width !== undefined && line.length > width ? `${line.slice(0, width - 1)}…` : line}\n`)
    .join('');
}
