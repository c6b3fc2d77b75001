/** Findings for programs. */
import { docsPlace } from '../../common/docs_place.ts';
import { type Finding, fieldText } from '../finding.ts';
import { objectText, type Parted } from '../suppress/index.ts';

/** The schema of the JSON, which docs/schema has. */
export const LINT_SCHEMA = 'sluice.dev/lint/v1';

/** One finding as JSON. */
export function findingJson(finding: Finding) {
  const { code, severity, message, path, place, fix } = finding;
  return {
    code,
    docs: docsPlace('lint', code),
    severity,
    object: objectText(finding),
    ...(path.length === 0 ? {} : { field: fieldText(path) }),
    message,
    ...(place === undefined ? {} : { file: place.file, line: place.line, column: place.column }),
    ...(fix === undefined ? {} : { fix: { text: fix.text, automatic: fix.edits !== undefined } }),
  };
}

/** All of them. @param policies how many were looked at */
export function lintJson(
  { findings, suppressed }: Parted,
  policies: number,
  counts: Readonly<Record<Finding['severity'], number>>,
) {
  return {
    schema: LINT_SCHEMA,
    policies,
    counts,
    findings: findings.map(findingJson),
    suppressed: suppressed.map(({ finding, by, reason }) => ({
      ...findingJson(finding),
      by,
      ...(reason === undefined ? {} : { reason }),
    })),
  };
}
