/** NP001. */
import { isEmptySelector } from '../../policy/index.ts';
import { nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { unmetSelector } from './unmet.ts';

/** The fix of a policy that is in the wrong namespace. */
export function moveTo(namespace: string): string {
  return `metadata.namespace: ${namespace}`;
}

/** A policy that selects no pod. */
export const np001: Rule = {
  code: 'NP001',
  severity: 'warning',
  title: 'policy selects no pod',
  explanation: `spec.podSelector matches no pod of the policy's namespace, so the policy isolates nobody and admits nothing. Often a label
is misspelt, or the workload was renamed or removed.

It says nothing where no workload of the namespace is known, or where four policies of its files and more than half select nobody: its
workloads are elsewhere then. Nor does it where a custom resource of the files has the labels: its operator may
make such pods. If the policy is for other pods that are in no file, suppress the finding with a reason.`,
  remedy: 'Correct the label, or remove the policy.',
  *check(model) {
    for (const linted of model.policies) {
      const { policy, object } = linted;
      const { namespace, podSelector } = policy;
      if (!model.knows(namespace) || model.selected(policy).length > 0) continue;
      const path = ['spec', 'podSelector'];
      // A namespace without workloads is no mistake of the policy.
      if (isEmptySelector(podSelector) || model.mayBeMade([namespace], podSelector)) continue;
      const present = model.subjectsIn(namespace).all.map(({ pod }) => pod.labels);
      const searched = { model, namespaces: [namespace] };
      const { text, path: at, fix, elsewhere } = unmetSelector(podSelector, path, present, 'pod', searched);
      yield {
        object,
        path: at,
        message: `${nameOf(linted)}: selects no pod; ${text}`,
        ...(fix === undefined ? {} : { fix }),
        ...(elsewhere === undefined ? {} : { fix: { text: moveTo(elsewhere) } }),
      };
    }
  },
};
