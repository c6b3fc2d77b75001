/** Findings as annotations of a GitHub workflow. Source: docs.github.com, "Workflow commands for GitHub Actions". */
import type { Finding, Severity } from '../finding.ts';
import { placeText } from './text.ts';

const LEVELS: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'notice' };

/** A workflow command for each. */
export function githubLines(findings: readonly Finding[]): string {
  return findings
    .map((finding) => {
      const { severity, code, message, place, fix } = finding;
      const where =
        place === undefined
          ? []
          : [`file=${property(place.file)}`, `line=${place.line}`, `col=${place.column}`];
      const what = place === undefined ? `${placeText(finding)}: ${message}` : message;
      const mended = fix === undefined ? '' : `; fix: ${fix.text}`;
      return `::${LEVELS[severity]} ${[...where, `title=${code}`].join(',')}::${data(`${what}${mended}`)}\n`;
    })
    .join('');
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
