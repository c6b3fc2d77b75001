/** NP020. */
import { listed, nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** A policy for pods that have no network of their own. */
export const np020: Rule = {
  code: 'NP020',
  severity: 'error',
  title: 'policy selects host-network pods only: it cannot be enforced',
  explanation: `A pod with hostNetwork: true uses the network of its node, and its address is the node's: no enforcer can isolate it by its
labels. All pods that this policy selects are such pods.`,
  remedy: 'Take hostNetwork away, or protect the node itself.',
  *check(model) {
    for (const linted of model.policies) {
      const selected = model.selected(linted.policy);
      if (selected.length === 0 || !selected.every(({ pod }) => pod.hostNetwork)) continue;
      yield {
        object: linted.object,
        path: ['spec', 'podSelector'],
        message: `${nameOf(linted)}: selects host-network pods only (${listed(selected.map(({ name }) => name))}): it cannot be enforced`,
      };
    }
  },
};
