/** How many of some pods have their policies in force, and which have not. */
import type { LintedPolicy } from '../../lint/index.ts';
import { objectKey, type Pod } from '../../policy/index.ts';
import { type Listed, listed } from '../listed.ts';

/** A pod that policies isolate. */
export interface IsolatedPod {
  readonly pod: Pod;
  /** Those that isolate it, in either direction. */
  readonly policies: readonly LintedPolicy[];
}

/** How far one pod is. */
export type PodState =
  | { readonly state: 'in-force' /** Of its table, where that is known. */; readonly revision?: number }
  | { readonly state: 'not-known'; readonly why: string }
  | {
      readonly state: 'not-in-force';
      readonly why: string;
      /** Of what somebody can do something about. */
      readonly cause?: LagCause;
    };

/** The pod has no sidecar; its sidecar runs and is not ready; it does not run. */
export type LagCause = 'no-sidecar' | 'not-ready' | 'dead';

/** What the injector says of a policy. */
export interface PolicyStatusData {
  /** `enforced`, `pending`, `partial` or `unenforced`. */
  readonly state: string;
  /** The generation that it is about, and whether that is the policy's. */
  readonly generation: number;
  readonly current: boolean;
  /** Pods that the policy selects, and those of them that enforce it. */
  readonly selected: number;
  readonly enforcing: number;
}

/** Knows how far pods are. */
export type InForce =
  | { readonly known: false; readonly reason: string }
  | {
      readonly known: true;
      stateOf(isolated: IsolatedPod): PodState;
      /** Of a cluster: what the injector has written on a policy; undefined where it has not. */
      statusOf?(policy: LintedPolicy): PolicyStatusData | undefined;
    };

/** A pod, and why it is not among those that enforce. */
interface PodAndWhy {
  readonly pod: string;
  readonly why: string;
}

/** As the JSON has it. */
export type InForceData =
  | { readonly known: false; readonly reason: string }
  | {
      readonly known: true;
      /** Pods that policies isolate. */
      readonly pods: number;
      /** Those of them whose sidecar enforces all of these policies as they were read. */
      readonly in_force: number;
      /** Of their tables, where that is known and all have the same. */
      readonly revision?: number;
      readonly not_in_force: Listed<PodAndWhy>;
      readonly not_known: Listed<PodAndWhy>;
    };

/** Of an input that cannot tell. */
export function notKnown(reason: string): InForce & { readonly known: false } {
  return { known: false, reason };
}

/** Looks at each pod once. */
export function inForceOf(inForce: InForce, pods: readonly IsolatedPod[], ifNone: string): InForceData {
  if (pods.length === 0) return { known: false, reason: ifNone };
  if (!inForce.known) return inForce;
  const found = { 'not-in-force': [] as PodAndWhy[], 'not-known': [] as PodAndWhy[] };
  const revisions = new Set<number | undefined>();
  for (const isolated of pods) {
    const state = inForce.stateOf(isolated);
    if (state.state === 'in-force') revisions.add(state.revision);
    else
      found[state.state].push({ pod: objectKey(isolated.pod.namespace, isolated.pod.name), why: state.why });
  }
  const [revision, another] = revisions;
  return {
    known: true,
    pods: pods.length,
    in_force: pods.length - found['not-in-force'].length - found['not-known'].length,
    ...(revision === undefined || another !== undefined ? {} : { revision }),
    not_in_force: listed(found['not-in-force']),
    not_known: listed(found['not-known']),
  };
}
