/** NP011. */
import { counted, listed } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Workloads that can neither be reached nor reach anything. */
export const np011: Rule = {
  code: 'NP011',
  severity: 'info',
  title: 'workload is isolated, and nothing at all is admitted',
  explanation: `Policies isolate the workload in both directions, and no rule of them admits anything: nobody reaches it, it reaches nobody, and
it resolves no name. After a default-deny that is what is left for a workload that was forgotten, often a CronJob that runs at night.`,
  remedy: 'Write a policy for it, if it needs the network.',
  *check(model) {
    for (const namespace of model.namespaces) {
      const closed = model
        .subjectsIn(namespace)
        .all.filter((subject) =>
          (['ingress', 'egress'] as const).every(
            (direction) =>
              model.isolating(subject, direction).length > 0 &&
              model.rulesOf(subject, direction).length === 0,
          ),
        );
      const [first] = closed;
      const [policy] = first === undefined ? [] : model.isolating(first, 'egress');
      if (policy === undefined) continue;
      const names = listed(closed.map(({ name }) => name));
      yield {
        object: policy.object,
        path: ['spec', 'podSelector'],
        message: `${counted(closed.length, 'workload')} of ${namespace} ${closed.length === 1 ? 'is' : 'are'} isolated, and nothing is admitted: ${names}`,
      };
    }
  },
};
