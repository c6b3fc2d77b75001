/** Comments that suppress findings: `# sluice-lint: ignore NP006 reason`. */
import { readSuppression, type SuppressionWords } from './codes.ts';

/** Lines of a file, from 1 and inclusive, on which findings of some codes are suppressed. */
export interface SuppressedLines extends SuppressionWords {
  readonly from: number;
  readonly to: number;
}

const COMMENT = /(^|\s)#\s*sluice-lint:\s*ignore\b(.*)$/;
const SEPARATOR = /^---(?:\s|$)/;

/**
 * A comment behind something is about its line. A comment on a line of its own is about the field or the item that follows,
 * with all that is in it; before the first field of a document it is about the document.
 */
export function suppressedLines(text: string): readonly SuppressedLines[] {
  if (!text.includes('sluice-lint:')) return [];
  const lines = text.split(/\r?\n/);
  return lines.flatMap((line, at) => {
    const [, , words] = COMMENT.exec(line) ?? [];
    const read = words === undefined ? undefined : readSuppression(words);
    if (read === undefined) return [];
    if (!isComment(line)) return [{ ...read, from: at + 1, to: at + 1 }];
    const [from, to] = isHead(lines, at) ? documentAt(lines, at) : blockAfter(lines, at);
    return [{ ...read, from: from + 1, to: to + 1 }];
  });
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

function isNothing(line: string): boolean {
  return line.trim() === '' || isComment(line);
}

/** Whether nothing of the document stands before a line. */
function isHead(lines: readonly string[], at: number): boolean {
  for (let before = at - 1; before >= 0; before -= 1) {
    const line = lines[before] ?? '';
    if (SEPARATOR.test(line)) return line.replace(/^---/, '').trim() === '' || isComment(line.slice(3));
    if (!isNothing(line)) return false;
  }
  return true;
}

function documentAt(lines: readonly string[], at: number): readonly [number, number] {
  const end = lines.findIndex((line, index) => index > at && SEPARATOR.test(line));
  return [at, end === -1 ? lines.length - 1 : end - 1];
}

function blockAfter(lines: readonly string[], at: number): readonly [number, number] {
  let from = at + 1;
  while (from < lines.length && isNothing(lines[from] ?? '')) from += 1;
  const first = lines[from] ?? '';
  const indent = indentOf(first);
  let to = from;
  for (let next = from + 1; next < lines.length; next += 1) {
    const line = lines[next] ?? '';
    if (isNothing(line)) continue;
    // The items of a list may stand below their key as far to the left as it.
    const isItem = indentOf(line) === indent && /^\s*- /.test(line) && !/^\s*- /.test(first);
    if (SEPARATOR.test(line) || (indentOf(line) <= indent && !isItem)) break;
    to = next;
  }
  return [from, to];
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
