/** What was decided about a flow, and why. Verdicts carry the policies they come from; they are never booleans. */

import type { Direction } from './model.ts';

/**
 * The tiers of policy, in the order in which they are asked. Each accepts a flow, denies it, or passes it on to the next one;
 * what all of them pass on is allowed. To add a tier, add its name here: TypeScript then asks for its evaluators, in
 * `rules/evaluate.ts` (for objects) and `judge/judge.ts` (for tables). docs/adr/0034-tiers-in-the-verdict.md
 */
export const TIERS = ['NetworkPolicy'] as const;

/** A tier by its name. */
export type Tier = (typeof TIERS)[number];

/** The kinds of objects that hold policy. */
export type PolicyKind = 'NetworkPolicy';

/**
 * Names a policy. Without `kind` and `tier` it is a NetworkPolicy in the tier of that name. For such a policy the two fields are
 * always left out: references stand in tables, and a sidecar of an earlier version refuses a field that it does not know.
 */
export interface PolicyRef {
  readonly namespace: string;
  readonly name: string;
  readonly kind?: PolicyKind;
  readonly tier?: Tier;
}

/** A test of a rule that a denied flow did not pass. */
export interface FailedTest {
  readonly failed: 'namespace' | 'pod' | 'ipBlock' | 'protocol' | 'port';
  /** Ready for people, as `got`: `label role=frontend` and `role=front`, `TCP/80` and `TCP/8080`. */
  readonly wanted: string;
  readonly got: string;
  /** Of a selector: the label that was asked for. */
  readonly key?: string;
  /** What may have been meant, by its likeness to what was there. */
  readonly meant?: Meant;
}

/** What somebody may have meant who wrote a test. */
export type Meant =
  /** The label's value is nearly this. */
  | { readonly kind: 'value'; readonly value: string }
  /** Another label has the value. */
  | { readonly kind: 'key'; readonly key: string }
  /** The port of the Service was written, and policies see that of the pod. */
  | { readonly kind: 'target-port' };

/** Rules that came near that are named at most. */
export const MAX_NEAR = 3;

/** A rule that came close to admitting a denied flow, with all of its tests that failed. */
export interface RuleMiss {
  readonly policy: PolicyRef;
  readonly direction: Direction;
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  readonly rule: number;
  /** Index in the rule's `from` or `to` of the peer that came nearest; absent where the rule names no peer. */
  readonly peer?: number;
  /** In the order in which they are made: namespace, then pod or ipBlock, then protocol or port. */
  readonly tests: readonly [FailedTest, ...FailedTest[]];
}

/** What a tier decides about one direction of a flow: it accepts it, or denies it. */
export type Decision =
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
      /**
       * The rules that came nearest, the nearest first, `MAX_NEAR` at most. Absent when the isolating policies have no rule at all,
       * or only blocks for a pod without an address, or when it was not asked for.
       */
      readonly near?: readonly RuleMiss[];
    };

/** A tier has no say about a flow: the next tier is asked. */
export const PASS = 'pass';

/** What a tier answers: a decision, which is final for this direction, or that it passes. */
export type TierAnswer = Decision | typeof PASS;

/** Why one direction of a flow is allowed without any rule. */
export type ExemptReason =
  /** Every tier passed: no policy selects the subject for this direction. */
  | 'not-isolated'
  /** A pod always reaches itself. */
  | 'self'
  /** Traffic between a pod and its own node is always allowed. */
  | 'own-node'
  /** The side this direction is judged at is not a pod that policy can select: external, a node, host network. */
  | 'not-a-pod';

/** The verdict of one direction of a flow: no tier was asked, or one decided, or all passed. */
export type Verdict =
  | { readonly verdict: 'allow'; readonly direction: Direction; readonly reason: ExemptReason }
  | Decision
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
