/** Findings as people and programs read them. */

export { explainRule } from './explain.ts';
export { githubLines } from './github.ts';
export { findingJson, LINT_SCHEMA, lintJson } from './json.ts';
export { sarifLog } from './sarif.ts';
export { type FindingLine, findingLines, placeText } from './text.ts';
