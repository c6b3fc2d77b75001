/** Which findings somebody has said are meant. */
import type { ManifestFile } from '../../sources/index.ts';
import type { Finding } from '../finding.ts';
import { readSuppression } from './codes.ts';
import { type SuppressedLines, suppressedLines } from './comments.ts';

/** On a policy, or on another object that a finding is about: codes, and why. */
export const IGNORE_ANNOTATION = 'sluice.dev/lint-ignore';

/** A finding that is not counted. */
export interface Suppressed {
  readonly finding: Finding;
  readonly by: 'annotation' | 'comment' | 'baseline';
  readonly reason?: string;
}

/** Findings, parted. */
export interface Parted {
  readonly findings: readonly Finding[];
  readonly suppressed: readonly Suppressed[];
}

/** Takes out what annotations and comments suppress. */
export function suppress(findings: readonly Finding[], files: readonly ManifestFile[]): Parted {
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  const comments = new Map<string, readonly SuppressedLines[]>();
  const commentsOf = (file: string): readonly SuppressedLines[] => {
    const known = comments.get(file) ?? suppressedLines(texts.get(file) ?? '');
    comments.set(file, known);
    return known;
  };
  return part(findings, (finding) => byAnnotation(finding) ?? byComment(finding, commentsOf));
}

/** Parts findings by whether something suppresses them. */
export function part(
  findings: readonly Finding[],
  suppressedBy: (finding: Finding) => Omit<Suppressed, 'finding'> | undefined,
): Parted {
  const left: Finding[] = [];
  const suppressed: Suppressed[] = [];
  for (const finding of findings) {
    const by = suppressedBy(finding);
    if (by === undefined) left.push(finding);
    else suppressed.push({ finding, ...by });
  }
  return { findings: left, suppressed };
}

function byAnnotation({ object, code }: Finding): Omit<Suppressed, 'finding'> | undefined {
  const text = object.annotations[IGNORE_ANNOTATION];
  const words = typeof text === 'string' ? readSuppression(text) : undefined;
  if (words?.codes.includes(code) !== true) return undefined;
  return { by: 'annotation', ...(words.reason === undefined ? {} : { reason: words.reason }) };
}

function byComment(
  { place, code }: Finding,
  commentsOf: (file: string) => readonly SuppressedLines[],
): Omit<Suppressed, 'finding'> | undefined {
  if (place === undefined) return undefined;
  const found = commentsOf(place.file).find(
    ({ codes, from, to }) => codes.includes(code) && place.line >= from && place.line <= to,
  );
  if (found === undefined) return undefined;
  return { by: 'comment', ...(found.reason === undefined ? {} : { reason: found.reason }) };
}
