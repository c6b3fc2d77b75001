/** Help texts on narrow terminals. */
import { terminalWidth } from './width.ts';

/** Columns that a text beside something has at least; where there are fewer, it goes on at the left. */
const LEAST_TEXT = 24;

/** Where a text goes on that has too little room beside something, columns. */
const INDENT = 4;

/**
 * Folds texts at words. What goes on stands below the text that it belongs to: of a flag or a command below its explanation.
 * Lines that fit, and words that do not, stay as they are.
 * @param width default: that of the terminal; in a pipe nothing is folded
 */
export function foldText(text: string, width = terminalWidth() ?? Number.POSITIVE_INFINITY): string {
  const texts: string[][] = [];
  for (const line of text.split('\n')) {
    const current = texts.at(-1);
    if (current !== undefined && goesOn(current.at(-1) ?? '', line)) current.push(line);
    else texts.push([line]);
  }
  return texts
    .flatMap((lines) =>
      lines.every(({ length }) => length <= width)
        ? lines
        : foldLine(lines.map((line, at) => (at === 0 ? line : line.trimStart())).join(' '), width),
    )
    .join('\n');
}

/** Whether a line is of the same paragraph, or of the same explanation, as the one before it. */
function goesOn(before: string, line: string): boolean {
  const indent = line.length - line.trimStart().length;
  if (before === '' || line === '' || before.startsWith('usage:')) return false;
  return (indent === 0 || indent >= LEAST_TEXT) && columnOf(before) === indent && columnOf(line) === indent;
}

function foldLine(line: string, width: number): readonly string[] {
  const column = columnOf(line);
  const lead = line.slice(0, column);
  // A text far to the right goes on at the left, below what it is beside.
  const isNarrow = column > INDENT && width - column < LEAST_TEXT;
  const indent = ' '.repeat(isNarrow ? INDENT : column);
  const lines = isNarrow && lead.trim() !== '' ? [lead.trimEnd()] : [];
  let now = isNarrow ? indent : lead;
  let isEmpty = true;
  for (const word of line.slice(column).split(/ +/)) {
    if (!isEmpty && now.length + 1 + word.length > width) {
      lines.push(now);
      now = indent;
      isEmpty = true;
    }
    now = isEmpty ? `${now}${word}` : `${now} ${word}`;
    isEmpty = false;
  }
  return [...lines, now];
}

/** Where the explanation begins, behind two spaces or more; else where the line does. */
function columnOf(line: string): number {
  const beside = /^(usage: |\s*\S.*? {2,})\S/.exec(line)?.[1];
  return beside?.length ?? line.length - line.trimStart().length;
}
