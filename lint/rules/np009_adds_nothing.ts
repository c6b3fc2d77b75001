/** NP009. */
import { isEmptySelector } from '../../policy/index.ts';
import { type LintedPolicy, type LintedRule, listed, type Model, nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { covers } from './cover.ts';

/** A policy that other policies make needless. */
export const np009: Rule = {
  code: 'NP009',
  severity: 'info',
  title: 'policy adds nothing to what other policies admit',
  explanation: `Each pod that the policy selects is isolated by other policies anyway, and each of its rules is within a rule of one of
those. Taken away, it would be missed by nobody; often one of the others is wider than was thought.

Peers are compared by the workloads that they mean now. A policy without rules is never named: it isolates.`,
  remedy: 'Remove it, or make the policy that is wider narrower.',
  *check(model) {
    const needless = new Set<LintedPolicy>();
    // The last first: of two that say the same the first stays.
    const found = model.policies.toReversed().flatMap((linted) => {
      const others = othersThatCover(model, linted, needless);
      if (others === undefined) return [];
      needless.add(linted);
      return [{ linted, others }];
    });
    for (const { linted, others } of found)
      yield {
        object: linted.object,
        path: [],
        message: `${nameOf(linted)}: adds nothing to ${listed([...others].map(nameOf), 3)}`,
        fix: { text: 'remove it' },
      };
  },
};

function othersThatCover(
  model: Model,
  linted: LintedPolicy,
  needless: ReadonlySet<LintedPolicy>,
): ReadonlySet<LintedPolicy> | undefined {
  const { policy } = linted;
  const rules = rulesIn(linted);
  if (rules.length === 0 || !model.knows(policy.namespace)) return undefined;
  const selected = model.selected(policy).filter(({ pod }) => !pod.hostNetwork);
  if (selected.length === 0) return undefined;
  const selectsAll = isEmptySelector(policy.podSelector);
  const used = new Set<LintedPolicy>();
  const memo = new Map<LintedRule, Map<LintedPolicy, boolean>>();
  for (const subject of selected) {
    for (const direction of policy.policyTypes) {
      const others = model.isolating(subject, direction).filter(
        (other) =>
          other !== linted &&
          !needless.has(other) &&
          // What comes later to the namespace it selects too.
          (!selectsAll || isEmptySelector(other.policy.podSelector)),
      );
      if (others.length === 0) return undefined;
      const isCovered = rules
        .filter((rule) => rule.direction === direction)
        .every((rule) => {
          const known = memo.get(rule) ?? new Map<LintedPolicy, boolean>();
          memo.set(rule, known);
          const other = others.find((one) => {
            const isCovering = known.get(one) ?? policyCovers(model, one, rule);
            known.set(one, isCovering);
            return isCovering;
          });
          if (other !== undefined) used.add(other);
          return other !== undefined;
        });
      if (!isCovered) return undefined;
    }
  }
  return used;
}

/** Whether one rule of a policy of the same namespace covers this one. */
function policyCovers(model: Model, other: LintedPolicy, { direction, rule }: LintedRule): boolean {
  const { namespace } = other.policy;
  return rulesIn(other).some(
    (one) => one.direction === direction && covers(model, { rule: one.rule, namespace }, { rule, namespace }),
  );
}
