/** Changes for people at a terminal. */
import { type Style, tableRows } from '../terminal/index.ts';
import { CHANGES } from './compare.ts';
import type { Report } from './report.ts';

/** How it looks. */
export interface TextSettings {
  /** Whether the line that counts goes with it. */
  readonly headers: boolean;
  readonly style: Style;
}

/** One line, or a row of more; what leads it has a colour. */
export interface TextLine {
  readonly lead: string;
  readonly text: string;
}

/** Rows that are printed: more is no list that somebody reads. */
const MAX_ROWS = 500;

const SIGNS = { wider: '+', changed: '~', narrower: '-' } as const;
const COLORS = { wider: 'red', changed: 'yellow', narrower: 'green' } as const;

/** A row each, and what is left out. */
export function textLines(
  { rows, comparison }: Report,
  { headers, style }: TextSettings,
): readonly TextLine[] {
  const shown = rows.slice(0, MAX_ROWS);
  const table = tableRows(
    shown.map(({ change, from, to, ports, reasons }) => [
      `${SIGNS[change]} ${change}`,
      `${from} -> ${to}`,
      ports,
      reasons,
    ]),
  );
  const lines = shown.map(({ change }, at): TextLine => {
    const word = `${SIGNS[change]} ${change}`;
    return { lead: style(COLORS[change], word), text: (table[at] ?? '').slice(word.length) };
  });
  const more = rows.length - shown.length;
  const left = more > 0 ? [{ lead: '', text: `… and ${more} more rows: -o json has them` }] : [];
  const { leftOut } = comparison;
  const beyond =
    leftOut > 0 ? [{ lead: '', text: `… and ${leftOut} more pairs: too many to be put together` }] : [];
  const counts = headers ? [{ lead: '', text: `= ${countText(comparison)}` }] : [];
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
