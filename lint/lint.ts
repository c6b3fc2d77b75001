/** Runs the rules. */
import type { Place } from '../sources/index.ts';
import { type Finding, type Found, fieldText, SEVERITIES, type Severity } from './finding.ts';
import { createModel, type LintInput, type Model } from './model/index.ts';
import type { Rule } from './rule.ts';
import { RULES } from './rules/index.ts';

/** What the rules find, in the order of the text; what comes from no file is last, by object. */
export function lint(input: LintInput, rules: readonly Rule[] = RULES): readonly Finding[] {
  return findingsIn(createModel(input), rules);
}

/** The same of a model that is there already. To look at some policies only, give it those as its `policies`. */
export function findingsIn(model: Model, rules: readonly Rule[]): readonly Finding[] {
  const known = new Map<Rule, readonly Found[]>();
  const foundBy = (rule: Rule): readonly Found[] => {
    const found = known.get(rule) ?? [...rule.check(model, foundBy)];
    known.set(rule, found);
    return found;
  };
  const findings = rules.flatMap((rule) =>
    foundBy(rule).map(
      (found): Omit<Finding, 'place'> => ({
        ...found,
        code: rule.code,
        severity: found.severity ?? rule.severity,
      }),
    ),
  );
  // By document first: each is parsed once for all its findings.
  return findings
    .sort((a, b) => compare([a.object.file, a.object.document], [b.object.file, b.object.document]))
    .map((finding) => {
      model.beforeAnswer?.();
      const place = model.places.find(finding.object, finding.path);
      return place === undefined ? finding : { ...finding, place };
    })
    .sort((a, b) => compare(orderOf(a), orderOf(b)));
}

/** How many findings there are of each severity. */
export function countBySeverity(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
  return { error: count('error'), warning: count('warning'), info: count('info') };
}

/** Whether one is as bad as `level` or worse. */
export function reaches(findings: readonly Finding[], level: Severity): boolean {
  return findings.some(({ severity }) => SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(level));
}

function orderOf({ place, object, code, path, message }: Finding): readonly (string | number)[] {
  const { file = '\u{10ffff}', line = 0, column = 0 }: Partial<Place> = place ?? {};
  return [file, line, column, object.key, code, fieldText(path), message];
}

function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [at, one] of a.entries()) {
    const other = b[at] ?? '';
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}
