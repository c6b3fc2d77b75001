/** Changes as a comment on a pull request. */
import { printable } from '../../common/printable.ts';
import { CHANGES, type Change } from './compare.ts';
import type { Report } from './report.ts';
import { countText } from './report_text.ts';
import type { Row } from './rows.ts';

/** A comment of GitHub has 65,536 characters at most; the notes have to fit in too. */
const MAX_CHARACTERS = 60_000;

/** Notes that are written: each broken template makes one. */
const MAX_NOTES = 10;

/** Characters of one cell: a hostile name shall not push all else out, and a score of networks and pods that may come has room. */
const MAX_CELL = 1_000;

const TITLES: Readonly<Record<Change, string>> = {
  wider: 'Wider: becomes possible',
  changed: 'Changed: wider in some ports, narrower in others',
  narrower: 'Narrower: becomes impossible',
};

/** A heading, a table for each way of change, and what is left out. */
export function markdownText(report: Report): string {
  const { before, after, comparison, rows, notes } = report;
  const lines = [
    `### NetworkPolicy: ${summary(report)}`,
    '',
    `${code(before)} → ${code(after)}: ${countText(comparison)}`,
  ];
  let length = lines.join('\n').length;
  let left = 0;
  for (const change of CHANGES) {
    const own = rows.filter((row) => row.change === change);
    const table: string[] = [];
    for (const row of own) {
      const line = rowLine(row);
      if (length + line.length > MAX_CHARACTERS) {
        left += 1;
        continue;
      }
      length += line.length + 1;
      table.push(line);
    }
    if (table.length > 0)
      lines.push(
        '',
        `**${TITLES[change]}**`,
        '',
        '| from | to | ports | because |',
        '| --- | --- | --- | --- |',
        ...table,
      );
  }
  if (left > 0) lines.push('', `${left} more rows are left out: \`sluice diff\` prints them.`);
  if (comparison.leftOut > 0)
    lines.push('', `${comparison.leftOut} more pairs are left out: too many to be put together.`);
  for (const note of notes.slice(0, MAX_NOTES)) lines.push('', `Note: ${code(note)}`);
  if (notes.length > MAX_NOTES)
    lines.push('', `${notes.length - MAX_NOTES} more notes are left out: \`sluice diff\` prints them.`);
  return `${lines.join('\n')}\n`;
}

function summary({ comparison }: Report): string {
  const found = CHANGES.filter((change) => comparison.counts[change] > 0);
  return found.length === 0 ? 'no connection changes' : found.join(', ');
}

function rowLine({ from, to, ports, reasons }: Row): string {
  return `| ${[from, to, ports, reasons].map(code).join(' | ')} |`;
}

/** As code, in which markdown, HTML and mentions mean nothing. What would end the code or the cell is written as JSON has it. */
function code(text: string): string {
  if (text === '') return '';
  const shown = printable(text).replaceAll('`', '\\u0060').replaceAll('|', '\\u007c');
  return `\`${shown.length > MAX_CELL ? `${shown.slice(0, MAX_CELL)}…` : shown}\``;
}
