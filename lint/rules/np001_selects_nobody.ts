/** NP001. */
import { MAX_LABEL_SETS, nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { unmetSubject } from './unmet_subject.ts';

/** A policy that selects no pod. */
export const np001: Rule = {
  code: 'NP001',
  severity: 'warning',
  title: 'policy selects no pod',
  explanation: `spec.podSelector matches no pod of the policy's namespace, so the policy isolates nobody and admits nothing. Often a label
is misspelt, or the workload was renamed or removed.

It says nothing where no workload of the namespace is known. It also says nothing where at least four policies of the namespace, and
more than half, select nobody: the workloads are then not in these files. And it says nothing where a custom resource of the files has
the labels: its operator may make such pods. Of a namespace whose custom resources have more than ${MAX_LABEL_SETS} different sets of labels it
says nothing. If the policy is for other pods that are in no file, suppress the finding with a reason.`,
  remedy: 'Correct the label, or remove the policy.',
  *check(model) {
    for (const linted of model.policies) {
      const unmet = unmetSubject(model, linted);
      if (unmet === undefined) continue;
      const { text, path, fix, elsewhere } = unmet;
      yield {
        object: linted.object,
        path,
        message: `${nameOf(linted)}: selects no pod; ${text}`,
        ...(fix === undefined ? {} : { fix }),
        ...(elsewhere === undefined ? {} : { fix: { text: `metadata.namespace: ${elsewhere}` } }),
      };
    }
  },
};
