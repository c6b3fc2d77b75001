/** How often rules have admitted, and how often they came nearest to what was denied. */
import type { ObservedFlow } from '../../../../flows/index.ts';

/** Of one rule. */
export interface RuleUse {
  readonly hits: number;
  /** Flows that were denied, and that this rule came nearest to admitting. */
  readonly nearest: number;
  /** The last that it admitted; empty: none. */
  readonly last: string;
}

/** Looks up a rule by its policy, direction and index. */
export function ruleUse(
  flows: readonly ObservedFlow[],
): (policy: string, direction: 'ingress' | 'egress', index: number) => RuleUse {
  const uses = new Map<string, { hits: number; nearest: number; last: string }>();
  const useOf = (policy: string, direction: string, rule: number) => {
    const key = JSON.stringify([policy, direction, rule]);
    const use = uses.get(key) ?? { hits: 0, nearest: 0, last: '' };
    uses.set(key, use);
    return use;
  };
  for (const flow of flows) {
    const { outcome, policy, rule, direction } = flow;
    if (outcome === 'allow' && policy !== undefined && rule !== undefined) {
      const use = useOf(policy, direction, rule);
      use.hits += flow.flows;
      if (flow.last > use.last) use.last = flow.last;
    }
    const [near] = flow.near ?? [];
    if (near !== undefined) useOf(near.policy, direction, near.rule).nearest += flow.flows;
  }
  return (policy, direction, index) =>
    uses.get(JSON.stringify([policy, direction, index])) ?? { hits: 0, nearest: 0, last: '' };
}
