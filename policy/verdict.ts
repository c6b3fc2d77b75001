/** What was decided about a flow, and why. Verdicts carry the policies they come from; they are never booleans. */

import type { Direction, Protocol } from './model.ts';

/** Names a NetworkPolicy. */
export interface PolicyRef {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The rule that came closest to admitting a denied flow, and the first of its tests that failed.
 * `wanted` and `got` are ready for people: `label role=frontend` and `role=front`, `TCP/80` and `TCP/8080`.
 */
export interface NearMiss {
  readonly policy: PolicyRef;
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  readonly rule: number;
  readonly failed: 'namespace' | 'pod' | 'ipBlock' | 'protocol' | 'port';
  readonly wanted: string;
  readonly got: string;
}

/** Why one direction of a flow is allowed without any rule being asked. */
export type ExemptReason =
  /** No policy selects the subject for this direction. */
  | 'not-isolated'
  /** A pod always reaches itself. */
  | 'self'
  /** Traffic between a pod and its own node is always allowed. */
  | 'own-node'
  /** The side this direction is judged at is not a pod that policy can select: external, a node, host network. */
  | 'not-a-pod';

/** The verdict of one direction of a flow. */
export type Verdict =
  | { readonly verdict: 'allow'; readonly direction: Direction; readonly reason: ExemptReason }
  | {
      readonly verdict: 'allow';
      readonly direction: Direction;
      readonly reason: 'rule';
      readonly policy: PolicyRef;
      readonly rule: number;
    }
  | {
      readonly verdict: 'deny';
      readonly direction: Direction;
      /** Isolated, and no rule admits the flow. */
      readonly reason: 'no-rule';
      readonly isolating: readonly PolicyRef[];
      /** Absent when the isolating policies have no rule at all, or when it was not asked for. */
      readonly nearMiss?: NearMiss;
    }
  | {
      readonly verdict: 'deny';
      readonly direction: Direction;
      /** No table has arrived yet: nothing is admitted. */
      readonly reason: 'no-table';
    };

/** Both directions of a flow: it passes only if both allow it. */
export interface FlowVerdict {
  readonly verdict: 'allow' | 'deny';
  readonly egress: Verdict;
  readonly ingress: Verdict;
}

/** The layer 4 address a flow goes to, as the destination pod sees it. */
export interface FlowPort {
  readonly protocol: Protocol;
  readonly port: number;
}
