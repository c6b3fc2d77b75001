/** NP025. */
import { isNeverInjected, USUAL_NAMESPACE } from '../../common/contract.ts';
import type { Found } from '../finding.ts';
import { counted, hasSidecar, listed } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Workloads whose pods `kubectl rollout restart` makes again. Source: kubectl's help. */
const RESTARTABLE = /^(deploy|sts|ds)\//;

/** The command that makes the pods of one of these workloads again; none where its next run does, or nothing can. */
function fixOf(namespace: string, names: readonly string[]): Pick<Found, 'fix'> {
  const workload = names.find((name) => RESTARTABLE.test(name));
  if (workload !== undefined) return { fix: { text: `kubectl -n ${namespace} rollout restart ${workload}` } };
  const pod = names.find((name) => name.startsWith('pod/'));
  return pod === undefined
    ? {}
    : { fix: { text: `kubectl -n ${namespace} get ${pod} -o yaml | kubectl replace --force -f -` } };
}

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
        ...fixOf(namespace, names),
      };
    }
  },
};
