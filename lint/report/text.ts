/** Findings for people: a line each, as compilers write them. */
import { describePlace } from '../../sources/index.ts';
import type { Finding, Severity } from '../finding.ts';

/** Gives a word a colour; the identity leaves it. */
export type Paint = (severity: Severity, text: string) => string;

/** Columns of the longest severity and a code. */
const SEVERITY_WIDTH = 'warning'.length;

/** One line for each, aligned, a line end behind each. */
export function findingLines(findings: readonly Finding[], paint: Paint = (_, text) => text): string {
  const places = findings.map((finding) => placeText(finding));
  const width = Math.max(0, ...places.map((place) => place.length));
  return findings
    .map(({ severity, code, message, fix }, at) => {
      const word = paint(severity, severity.padEnd(SEVERITY_WIDTH));
      const mended = fix === undefined ? '' : `; fix: ${fix.text}`;
      return `${(places[at] ?? '').padEnd(width)}  ${word}  ${code}  ${message}${mended}\n`;
    })
    .join('');
}

/** `shop/web.yaml:12:5`, or the object where it comes from no file. */
export function placeText({ place, object }: Finding): string {
  return place === undefined ? `${object.kind} ${object.key}` : describePlace(place);
}
