/** NP012. */
import { counted, listed, type Model, type Subject } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Workloads that policies have passed over. */
export const np012: Rule = {
  code: 'NP012',
  severity: 'warning',
  title: 'workload that no policy isolates, in a namespace that has policies',
  explanation: `No policy selects the workload, in either direction: everybody in the cluster reaches it on every port, and it reaches
everybody. In a namespace that has policies that is seldom meant.

Pods on the host network are left out: no policy can isolate them.`,
  remedy: 'Add a policy that isolates all pods of the namespace (podSelector: {}), and admit what is needed.',
  *check(model) {
    for (const namespace of model.namespaces) {
      if (model.policiesIn(namespace).length === 0) continue;
      const all = model.subjectsIn(namespace).all.filter(({ pod }) => !pod.hostNetwork);
      const open = all.filter((subject) => isOpen(model, subject));
      const [first] = open;
      if (first === undefined) continue;
      yield {
        object: first.object,
        path: [],
        message: `no policy isolates ${open.length} of ${counted(all.length, 'workload')} of ${namespace}: ${listed(open.map(({ name }) => name))}`,
        fix: { text: 'a policy with podSelector: {} that isolates all pods of the namespace' },
      };
    }
  },
};

function isOpen(model: Model, subject: Subject): boolean {
  return (['ingress', 'egress'] as const).every(
    (direction) => model.isolating(subject, direction).length === 0,
  );
}
