/** Lint: what in policies does not do what it says, or was probably not meant, by rules with permanent codes. */

export { type Finding, type Fix, type Found, fieldText, SEVERITIES, type Severity } from './finding.ts';
export { type MendedFile, mendFiles } from './fix.ts';
export { countBySeverity, findingsIn, lint, reaches } from './lint.ts';
export {
  createModel,
  hasSidecar,
  type LintedPolicy,
  type LintedRule,
  type LintInput,
  type Model,
  rulesIn,
  type Subject,
} from './model/index.ts';
export {
  explainRule,
  findingJson,
  findingLines,
  githubLines,
  LINT_SCHEMA,
  lintJson,
  placeText,
  sarifLog,
} from './report/index.ts';
export type { Rule } from './rule.ts';
export { type Dns, dnsOf, mayAskNames, RULES, ruleOf } from './rules/index.ts';
export {
  IGNORE_ANNOTATION,
  type Parted,
  type Suppressed,
  suppress,
  withoutBaseline,
} from './suppress/index.ts';
