/** How far one policy is in force: docs/schema/status.v1.json. */
import { readPolicyStatus } from '../../common/policy_status.ts';
import { fieldsOf } from '../../common/shape.ts';
import { STATUS_ANNOTATION } from '../../injector/admission/index.ts';
import type { LintedPolicy, Model } from '../../lint/index.ts';
import type { Pod } from '../../policy/index.ts';
import type { InForce, LagCause, PodState } from '../in_force/index.ts';
import { type Listed, listed } from '../listed.ts';

/** What it comes to. Those but `not-known` are the words of the annotation: docs/adr/0019-status-on-the-policy.md. */
export const STATES = ['enforced', 'partial', 'pending', 'unenforced', 'not-known'] as const;

/** Pods of a workload that lag for one reason. */
export interface LagData {
  /** `shop/deploy/web`. */
  readonly workload: string;
  readonly pods: Listed<string>;
  /** Whether they are known not to enforce it. */
  readonly known: boolean;
  readonly why: string;
  /** A command to paste that may help. */
  readonly command?: string;
}

/** One policy. */
export interface PolicyStateData {
  /** `namespace/name`. */
  readonly name: string;
  /** Of the policy as it is; a lab counts none. */
  readonly generation?: number;
  readonly state: (typeof STATES)[number];
  /** Why the state is not known, or not that of the policy as it is. */
  readonly why?: string;
  /** Pods that it selects, and those of them that enforce it. */
  readonly selected: number;
  readonly enforcing: number;
  readonly lagging: Listed<LagData>;
  /** What of it is not supported, and what its pods seem to lack. */
  readonly unsupported?: readonly string[];
  readonly warnings?: readonly string[];
}

/** Groups of pods that lag that the data has. */
const MAX_LAGS = 100;

/** What else is known of pods, and what helps. */
export interface StateContext {
  readonly model: Model;
  readonly inForce: InForce;
  /** What a sidecar has said itself, by pod; absent: it was not asked. */
  readonly said: (pod: Pod) => PodState | undefined;
  readonly help: (pod: Pod, cause: LagCause) => string | undefined;
}

/** One policy. */
export function policyState(linted: LintedPolicy, context: StateContext): PolicyStateData {
  const { model, inForce } = context;
  const { object, raw, policy } = linted;
  const pods = model
    .selected(policy)
    .filter(({ pod }) => !pod.hostNetwork)
    .flatMap((subject) => subject.pods);
  const { generation } = fieldsOf(raw.metadata);
  const named = { name: object.key, ...(typeof generation === 'number' ? { generation } : {}) };
  if (!inForce.known)
    return {
      ...named,
      state: 'not-known',
      why: inForce.reason,
      selected: pods.length,
      enforcing: 0,
      lagging: listed([]),
    };
  const states = pods.map((pod) => {
    const state = inForce.stateOf({ pod, policies: [linted] });
    return { pod, state: state.state === 'not-known' ? (context.said(pod) ?? state) : state };
  });
  const lagging = listed(lagsOf(states, context), MAX_LAGS);
  const inForceCount = states.filter(({ state }) => state.state === 'in-force').length;
  // Only a cluster's injector writes on policies.
  if (inForce.statusOf === undefined) {
    const unsupported = model.manifests.problems
      .filter(
        ({ severity, object: about }) => severity === 'error' && about === `NetworkPolicy ${object.key}`,
      )
      .map(({ path, message }) => (path === undefined ? message : `${path}: ${message}`));
    return {
      ...named,
      state: inForceCount < pods.length ? 'pending' : unsupported.length > 0 ? 'partial' : 'enforced',
      selected: pods.length,
      enforcing: inForceCount,
      lagging,
      ...(unsupported.length === 0 ? {} : { unsupported }),
    };
  }
  return {
    ...named,
    ...writtenState(object.annotations[STATUS_ANNOTATION], generation, {
      selected: pods.length,
      enforcing: inForceCount,
    }),
    lagging,
  };
}

/**
 * What the injector has written on a policy, as far as it is about the policy as it is.
 * @param counts where it says nothing: pods that are known, and those of them that enforce it
 */
export function writtenState(
  annotation: unknown,
  generation: unknown,
  counts: Pick<PolicyStateData, 'selected' | 'enforcing'>,
): Omit<PolicyStateData, 'name' | 'generation' | 'lagging'> {
  const written = typeof annotation === 'string' ? readPolicyStatus(annotation) : undefined;
  if (written === undefined)
    return {
      state: 'not-known',
      why: `it has no ${STATUS_ANNOTATION}: no injector has looked at it`,
      ...counts,
    };
  if (written.generation !== generation)
    return {
      state: 'pending',
      why: `the injector has not looked at generation ${String(generation)} yet`,
      ...counts,
      enforcing: 0,
    };
  const { state: word, selected, enforcing, unsupported, warnings } = written;
  return {
    state: STATES.find((state) => state === word) ?? 'not-known',
    selected,
    enforcing,
    ...(unsupported === undefined ? {} : { unsupported }),
    ...(warnings === undefined ? {} : { warnings }),
  };
}

function lagsOf(
  states: readonly { readonly pod: Pod; readonly state: PodState }[],
  { help }: StateContext,
): readonly LagData[] {
  const lagging = states.flatMap(({ pod, state }) => (state.state === 'in-force' ? [] : [{ pod, state }]));
  const groups = Map.groupBy(lagging, ({ pod, state }) =>
    JSON.stringify([pod.namespace, pod.workload, state.state, state.why]),
  );
  return [...groups.values()].flatMap((group): readonly LagData[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { pod, state } = first;
    const cause = state.state === 'not-in-force' ? state.cause : undefined;
    const command = cause === undefined ? undefined : help(pod, cause);
    return [
      {
        workload: `${pod.namespace}/${pod.workload}`,
        pods: listed(group.map((one) => one.pod.name)),
        known: state.state === 'not-in-force',
        why: state.why,
        ...(command === undefined ? {} : { command }),
      },
    ];
  });
}
