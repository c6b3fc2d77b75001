/** Which pods have their policies in force. */
import type { LintedPolicy, Model, Subject } from '../../../lint/index.ts';
import { objectKey, type Pod } from '../../../policy/index.ts';
import type { InForce } from '../../in_force/index.ts';
import { observedWorkload } from '../../observed_workload.ts';
import type { PodFacts, WorkloadFacts } from '../form.ts';

/** Pods that the page gets. */
export const MAX_PODS = 20_000;

/** Those that are not right come first. */
const ORDER: readonly PodFacts['state'][] = ['not-in-force', 'not-known', 'in-force', 'free'];

/** Pods on the network of their node have no sidecar, and are left out. */
export function podFacts(model: Model, inForce: InForce): readonly PodFacts[] {
  return model.subjects
    .filter(({ pod }) => !pod.hostNetwork)
    .flatMap((subject) => {
      const policies = isolating(model, subject);
      return subject.pods.map((pod) => factsOf(pod, subject, policies, inForce));
    })
    .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_PODS);
}

/** How many pods each workload has. */
export function workloadFacts({ subjects }: Model): readonly WorkloadFacts[] {
  const found = new Map<string, WorkloadFacts>();
  for (const { pod, pods, name } of subjects) {
    const workload = observedWorkload(name);
    const key = `${pod.namespace}/${workload}`;
    const { pods: before } = found.get(key) ?? { pods: 0 };
    found.set(key, { namespace: pod.namespace, workload, pods: before + pods.length });
  }
  return [...found.values()];
}

function isolating(model: Model, subject: Subject): readonly LintedPolicy[] {
  return [...new Set([...model.isolating(subject, 'ingress'), ...model.isolating(subject, 'egress')])];
}

function factsOf(pod: Pod, { name }: Subject, policies: readonly LintedPolicy[], inForce: InForce): PodFacts {
  const common = {
    name: objectKey(pod.namespace, pod.name),
    workload: observedWorkload(name),
    policies: policies.map(({ object }) => object.key),
  };
  if (policies.length === 0) return { ...common, state: 'free' };
  if (!inForce.known) return { ...common, state: 'not-known', why: inForce.reason };
  const found = inForce.stateOf({ pod, policies });
  return found.state === 'in-force'
    ? { ...common, state: 'in-force' }
    : { ...common, state: found.state, why: found.why };
}
