/** Tables of text. */
import { printable } from '../../common/printable.ts';
import { terminalWidth } from './width.ts';

/** Between two columns. */
const GAP = '  ';

/** Before what goes on in the next line. */
const INDENT = '      ';

/** Characters up to which a cell makes its column wider: one long list shall not push all other rows apart. */
const MAX_ALIGNED = 120;

/** Rows as aligned columns, a line end behind each; see `tableRows`. */
export function tableText(rows: readonly (readonly string[])[], width = terminalWidth()): string {
  return tableRows(rows, width)
    .map((row) => `${row}\n`)
    .join('');
}

/**
 * Rows as aligned columns, a text each. On a terminal a row that does not fit goes on in the next line, from the first column
 * that does not: nothing is cut.
 * @param width default: that of the terminal
 */
export function tableRows(
  rows: readonly (readonly string[])[],
  width = terminalWidth() ?? Number.POSITIVE_INFINITY,
): readonly string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of cells)
    for (const [at, cell] of row.entries())
      widths[at] = Math.max(widths[at] ?? 0, Math.min(cell.length, MAX_ALIGNED));
  return cells.map((row) => {
    const lines: string[] = [];
    let line = '';
    for (const [at, cell] of row.entries()) {
      if (line.trim() !== '' && cell !== '' && line.length + cell.length > width) {
        lines.push(line.trimEnd());
        line = INDENT;
      }
      line += `${cell.padEnd(widths[at] ?? 0)}${GAP}`;
    }
    return [...lines, line.trimEnd()].join('\n');
  });
}
