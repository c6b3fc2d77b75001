/** Findings for people: a line each, as compilers write them. */
import { describePlace } from '../../sources/index.ts';
import type { Finding, Severity } from '../finding.ts';

/** One finding as a line: the severity stands alone, so that it can have a colour. */
export interface FindingLine {
  readonly place: string;
  readonly severity: Severity;
  /** The same, as wide as all others. */
  readonly word: string;
  readonly said: string;
}

/** Columns of the longest severity and a code. */
const SEVERITY_WIDTH = 'warning'.length;

/** One line for each, aligned: two spaces go between its parts. */
export function findingLines(findings: readonly Finding[]): readonly FindingLine[] {
  const places = findings.map((finding) => placeText(finding));
  const width = places.reduce((most, { length }) => Math.max(most, length), 0);
  return findings.map(({ severity, code, message, fix }, at) => ({
    place: (places[at] ?? '').padEnd(width),
    severity,
    word: severity.padEnd(SEVERITY_WIDTH),
    said: `${code}  ${message}${fix === undefined ? '' : `; fix: ${fix.text}`}`,
  }));
}

/** `shop/web.yaml:12:5`, or the object where it comes from no file. */
export function placeText({ place, object }: Finding): string {
  return place === undefined ? `${object.kind} ${object.key}` : describePlace(place);
}
