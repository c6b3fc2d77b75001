/** Changes for people at a terminal. */
import { type Lines, line } from '../lines.ts';
import { tableRows } from '../terminal/index.ts';
import { CHANGES } from './compare.ts';
import type { Report } from './report.ts';

/** Rows that are printed: more is no list that somebody reads. */
const MAX_ROWS = 500;

const SIGNS = { wider: '+', changed: '~', narrower: '-' } as const;
const COLORS = { wider: 'red', changed: 'yellow', narrower: 'green' } as const;

/** A row each, and what is left out. @param headers whether the line that counts goes with it */
export function textLines({ rows, comparison }: Report, headers: boolean): readonly Lines[] {
  const shown = rows.slice(0, MAX_ROWS);
  const table = tableRows(
    shown.map(({ change, from, to, ports, reasons }) => [
      `${SIGNS[change]} ${change}`,
      `${from} -> ${to}`,
      ports,
      reasons,
    ]),
  );
  const lines = shown.map(({ change }, at): Lines => {
    const word = `${SIGNS[change]} ${change}`;
    // A row may go on in the next line.
    return { text: `${(table[at] ?? '').slice(word.length)}\n`, lead: { format: COLORS[change], word } };
  });
  const more = rows.length - shown.length;
  const left = more > 0 ? [line(`… and ${more} more rows: -o json has them`)] : [];
  const { leftOut } = comparison;
  const beyond = leftOut > 0 ? [line(`… and ${leftOut} more pairs: too many to be put together`)] : [];
  const counts = headers ? [line(`= ${countText(comparison)}`)] : [];
  return [...lines, ...left, ...beyond, ...counts];
}

/** `2 pairs wider, 1 narrower, 140 unchanged`. */
export function countText(comparison: Report['comparison']): string {
  const counts = [
    ...CHANGES.map((change) => ({ word: change, count: comparison.counts[change] })).filter(
      ({ count }) => count > 0,
    ),
    { word: 'unchanged', count: comparison.unchanged },
  ];
  return counts
    .map(({ word, count }, at) => `${count}${at > 0 ? '' : count === 1 ? ' pair' : ' pairs'} ${word}`)
    .join(', ');
}
