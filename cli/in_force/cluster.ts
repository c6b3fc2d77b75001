/**
 * What the sidecars of a cluster have in force, as far as its objects tell: whether a pod has a sidecar that is ready, and
 * what the injector has written on each policy (docs/adr/0019-status-on-the-policy.md).
 */
import { SIDECAR_CONTAINER } from '../../common/contract.ts';
import { readPolicyStatus } from '../../common/policy_status.ts';
import { fieldsOf, isRecord } from '../../common/shape.ts';
import { STATUS_ANNOTATION } from '../../injector/admission/index.ts';
import { hasSidecar, type LintedPolicy } from '../../lint/index.ts';
import { objectKey } from '../../policy/index.ts';
import type { Manifests, RawManifest } from '../../sources/index.ts';
import type { InForce, PodState, PolicyStatusData } from './in_force.ts';

/** Undefined where no injector has written one. */
function policyStatus({ object, raw }: LintedPolicy): PolicyStatusData | undefined {
  const text = object.annotations[STATUS_ANNOTATION];
  const status = typeof text === 'string' ? readPolicyStatus(text) : undefined;
  if (status === undefined) return undefined;
  const { state, generation, selected, enforcing } = status;
  const current = generation === fieldsOf(raw.metadata).generation;
  return { state, generation, current, selected, enforcing };
}

/** By the objects of a cluster. */
export function clusterStates({ objects }: Manifests): InForce {
  const pods = new Map(objects.flatMap((one) => (one.kind === 'Pod' ? [[one.key, one.raw] as const] : [])));
  const policies = new Map<LintedPolicy, string | undefined>();
  /** Why it is not known that all of its pods enforce a policy. */
  const doubtOf = (policy: LintedPolicy): string | undefined => {
    if (!policies.has(policy)) policies.set(policy, doubt(policy));
    return policies.get(policy);
  };
  return {
    known: true,
    statusOf: policyStatus,
    stateOf({ pod, policies: isolating }): PodState {
      const raw = pods.get(objectKey(pod.namespace, pod.name));
      if (raw === undefined || !hasSidecar(raw))
        return { state: 'not-in-force', why: 'it has no sidecar', cause: 'no-sidecar' };
      if (!isReady(raw))
        return { state: 'not-in-force', why: 'its sidecar is not ready', cause: 'not-ready' };
      for (const policy of isolating) {
        const why = doubtOf(policy);
        if (why !== undefined) return { state: 'not-known', why };
      }
      return { state: 'in-force' };
    },
  };
}

function doubt(policy: LintedPolicy): string | undefined {
  const { key } = policy.object;
  const status = policyStatus(policy);
  if (status === undefined) return `${key} has no ${STATUS_ANNOTATION}`;
  if (!status.current) return `the status of ${key} is about an earlier generation`;
  const { enforcing, selected } = status;
  return enforcing >= selected ? undefined : `${enforcing} of ${selected} pods enforce ${key}`;
}

/** Whether the sidecar's probe says that it enforces its table. Source: `PodStatus.containerStatuses[].ready`. */
function isReady({ status }: RawManifest): boolean {
  const { containerStatuses, initContainerStatuses } = fieldsOf(status);
  return [containerStatuses, initContainerStatuses]
    .flatMap((list) => (Array.isArray(list) ? list.filter(isRecord) : []))
    .some(({ name, ready }) => name === SIDECAR_CONTAINER && ready === true);
}
