/** NP025. */
import { isNeverInjected, USUAL_NAMESPACE } from '../../common/contract.ts';
import { counted, hasSidecar, listed } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Pods on which nothing enforces. */
export const np025: Rule = {
  code: 'NP025',
  severity: 'warning',
  title: 'pod that a policy selects has no sidecar',
  explanation: `Sluice enforces in the pod's sidecar. A pod without one is as open as if there were no policy, unless another enforcer of the
cluster does it. It was made before its namespace was labelled sluice.dev/inject=enabled, or the namespace is not labelled.

Asked of a cluster only: pods in files get their sidecar when they are made. One finding for each namespace; none for kube-system and
sluice-system, which are never injected.`,
  remedy: 'Label the namespace, and restart the workload. `sluice check` says what else keeps pods from it.',
  *check(model) {
    if (model.extent === 'files') return;
    for (const namespace of model.namespaces) {
      if (isNeverInjected(namespace, USUAL_NAMESPACE)) continue;
      const bare = model
        .subjectsIn(namespace)
        .all.filter(
          (subject) =>
            subject.object.kind === 'Pod' &&
            !hasSidecar(subject.raw) &&
            (['ingress', 'egress'] as const).some(
              (direction) => model.isolating(subject, direction).length > 0,
            ),
        );
      const [first] = bare;
      if (first === undefined) continue;
      const names = [...new Set(bare.map(({ name }) => name))];
      yield {
        object: first.object,
        path: ['spec'],
        message: `${counted(names.length, 'workload')} of ${namespace} that policies select ${names.length === 1 ? 'has' : 'have'} no sidecar: ${listed(names)}`,
        fix: { text: `kubectl -n ${namespace} rollout restart ${names[0] ?? ''}` },
      };
    }
  },
};
