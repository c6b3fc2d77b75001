/** Policies as the page shows them. */
import { stringify } from 'yaml';
import { fieldsOf, itemsOf } from '../../../common/shape.ts';
import type { LintedPolicy, Model } from '../../../lint/index.ts';
import { formatSelector } from '../../../policy/index.ts';
import type { InForce } from '../../in_force/index.ts';
import type { PolicyFacts, RuleFacts } from '../form.ts';

/** Rules of a policy that the page gets: more than that nobody reads. */
const MAX_RULES = 50;

/** Characters of one rule. A rule with more is made by a program. */
const MAX_YAML = 4_000;

/** Policies that the page gets. */
export const MAX_POLICIES = 2_000;

/** The first of them, in the order of their names. */
export function policyFacts(model: Model, inForce: InForce): readonly PolicyFacts[] {
  return model.policies.slice(0, MAX_POLICIES).map((linted): PolicyFacts => {
    const { policy, object } = linted;
    const all = [...rulesOf(linted, 'ingress'), ...rulesOf(linted, 'egress')];
    const selected = model.selected(policy).filter(({ pod }) => !pod.hostNetwork);
    const pods = selected.flatMap((subject) => subject.pods);
    const enforcing = inForce.known
      ? pods.filter((pod) => inForce.stateOf({ pod, policies: [linted] }).state === 'in-force').length
      : undefined;
    return {
      name: object.key,
      selector: formatSelector(policy.podSelector),
      isolates: policy.policyTypes,
      workloads: new Set(selected.map((subject) => subject.name)).size,
      pods: pods.length,
      rules: all.slice(0, MAX_RULES),
      moreRules: Math.max(0, all.length - MAX_RULES),
      ...(enforcing === undefined ? {} : { enforcing }),
    };
  });
}

function rulesOf({ raw }: LintedPolicy, direction: 'ingress' | 'egress'): readonly RuleFacts[] {
  return itemsOf(fieldsOf(raw.spec)[direction]).map((rule, index) => {
    const yaml = stringify([rule], { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
    return { direction, index, yaml: yaml.length > MAX_YAML ? `${yaml.slice(0, MAX_YAML)}\n# …` : yaml };
  });
}
