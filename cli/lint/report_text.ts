/** Findings in the format that was asked for. */
import { unreachable } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import {
  countBySeverity,
  findingLines,
  githubLines,
  lintJson,
  type Parted,
  placeText,
  SEVERITIES,
  sarifLog,
} from '../../lint/index.ts';
import type { Manifests } from '../../sources/index.ts';
import { type Lines, line } from '../lines.ts';
import type { LintOutput } from './lint_options.ts';

/** How. */
export interface ReportOptions {
  readonly output: LintOutput;
  /** Text: with the line that counts. */
  readonly headers: boolean;
}

/** Findings that a suppression without a reason hides are named; more are only counted. */
const UNEXPLAINED_NAMED = 5;

const COLORS = { error: 'red', warning: 'yellow', info: 'dim' } as const;

/** What goes to standard output. */
export function reportText(
  parted: Parted,
  { cluster, files }: Manifests,
  options: ReportOptions,
): readonly Lines[] {
  const counts = countBySeverity(parted.findings);
  switch (options.output) {
    case 'json':
      return [{ text: `${JSON.stringify(lintJson(parted, cluster.policies.size, counts), null, 2)}\n` }];
    case 'sarif':
      return [{ text: `${JSON.stringify(sarifLog(parted, files), null, 2)}\n` }];
    case 'github':
      return [{ text: githubLines(parted.findings) }];
    case 'text':
      return [
        ...findingLines(parted.findings).flatMap(({ place, severity, word, said }) => [
          { text: `${printable(place)}  ` },
          line(`  ${said}`, { format: COLORS[severity], word }),
        ]),
        ...(options.headers ? [{ text: footer(parted, cluster.policies.size) }] : []),
      ];
    default:
      return unreachable(options.output);
  }
}

function footer({ findings, suppressed }: Parted, policies: number): string {
  const counts = countBySeverity(findings);
  const inPolicies = `in ${policies} ${policies === 1 ? 'policy' : 'policies'}`;
  const found = SEVERITIES.filter((severity) => counts[severity] > 0).map((severity) =>
    severity === 'info' || counts[severity] === 1
      ? `${counts[severity]} ${severity}`
      : `${counts[severity]} ${severity}s`,
  );
  const [first] = findings;
  const said =
    first === undefined
      ? `nothing found ${inPolicies}\n`
      : `${found.join(', ')} ${inPolicies}. \`sluice lint --explain ${first.code}\` says more.\n`;
  return `${said}${suppressedText(suppressed)}`;
}

function suppressedText(suppressed: Parted['suppressed']): string {
  if (suppressed.length === 0) return '';
  const bare = suppressed.filter(({ by, reason }) => by !== 'baseline' && reason === undefined);
  const named = bare
    .slice(0, UNEXPLAINED_NAMED)
    .map(({ finding }) => `  ${placeText(finding)}  ${finding.code}\n`)
    .join('');
  const more = bare.length > UNEXPLAINED_NAMED ? `  and ${bare.length - UNEXPLAINED_NAMED} more\n` : '';
  const unexplained = bare.length === 0 ? '' : `, ${bare.length} without a reason:`;
  return `${suppressed.length} suppressed${unexplained}\n${named}${more}`;
}
