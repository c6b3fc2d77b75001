/** NP015. */
import { fieldsOf } from '../../common/shape.ts';
import type { Direction } from '../../policy/index.ts';
import type { FieldEdit } from '../../sources/index.ts';
import type { Found } from '../finding.ts';
import { type LintedPolicy, listed, type Model, nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';

const TYPES = { ingress: 'Ingress', egress: 'Egress' } as const;

/** policyTypes and the rules do not agree. */
export const np015: Rule = {
  code: 'NP015',
  severity: 'warning',
  title: 'policyTypes and the rules do not agree',
  explanation: `Three ways in which a direction is not what it looks like. egress: [] without policyTypes denies nothing: without policyTypes the
policy is for egress only where it has an egress rule. Rules of a direction that policyTypes does not list have no effect. And a
direction that is listed, without its field, while the policy has rules for the other one, denies everything in it.

The last is found only where this policy alone isolates the pods in that direction, so that they lose it by mistake; it is info. Write the empty
list (egress: []) where that is meant.`,
  remedy: 'List in policyTypes the directions that the policy is for, and write each of them.',
  *check(model) {
    for (const linted of model.policies) {
      const spec = fieldsOf(linted.raw.spec);
      const types = Array.isArray(spec.policyTypes) ? spec.policyTypes : [];
      if (types.length === 0) {
        if (Array.isArray(spec.egress) && spec.egress.length === 0) yield withoutTypes(linted, spec);
        continue;
      }
      for (const direction of ['ingress', 'egress'] as const) {
        const rules = spec[direction];
        const isListed = types.includes(TYPES[direction]);
        if (!isListed && Array.isArray(rules) && rules.length > 0) yield notListed(linted, direction);
        if (isListed && rules === undefined) yield* withoutField(model, linted, direction, spec);
      }
    }
  },
};

/** What was meant is clear only where ingress is written too: else it may be egress alone. */
function withoutTypes(linted: LintedPolicy, { ingress }: Readonly<Record<string, unknown>>): Found {
  const edits: readonly FieldEdit[] = [
    { kind: 'addFirst', path: ['spec'], key: 'policyTypes', value: '[Ingress, Egress]' },
  ];
  return {
    object: linted.object,
    path: ['spec', 'egress'],
    message: `${nameOf(linted)}: egress: [] without policyTypes isolates nobody for egress`,
    fix: {
      text: ingress === undefined ? 'policyTypes with Egress' : 'policyTypes: [Ingress, Egress]',
      ...(ingress === undefined ? {} : { edits }),
    },
  };
}

function notListed(linted: LintedPolicy, direction: Direction): Found {
  const type = TYPES[direction];
  return {
    object: linted.object,
    path: ['spec', direction],
    message: `${nameOf(linted)}: ${direction} rules have no effect: policyTypes does not list ${type}`,
    fix: {
      text: `${type} in policyTypes`,
      edits: [{ kind: 'append', path: ['spec', 'policyTypes'], value: type }],
    },
  };
}

function* withoutField(
  model: Model,
  linted: LintedPolicy,
  direction: Direction,
  spec: Readonly<Record<string, unknown>>,
): Iterable<Found> {
  const other = spec[direction === 'ingress' ? 'egress' : 'ingress'];
  if (!Array.isArray(other) || other.length === 0) return;
  const selected = model.selected(linted.policy).filter(({ pod }) => !pod.hostNetwork);
  const isAlone = (subject: (typeof selected)[number]) => model.isolating(subject, direction).length === 1;
  if (selected.length === 0 || !selected.every(isAlone)) return;
  const names = listed(selected.map(({ name }) => name));
  yield {
    object: linted.object,
    path: ['spec', 'policyTypes'],
    severity: 'info',
    message: `${nameOf(linted)}: lists ${TYPES[direction]} and has no ${direction} rules: all ${direction} of ${names} is denied`,
    fix: { text: `${direction} rules, or ${direction}: [] where that is meant` },
  };
}
