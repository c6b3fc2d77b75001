/** A tier of policy, evaluated straight from the objects of a cluster. */

import type { Direction, Pod, Protocol } from '../model.ts';
import type { TierAnswer } from '../verdict.ts';
import type { Peer } from './peer.ts';

/** One direction of a flow, as its subject's policies see it. The port is the destination's. */
export interface SubjectFlow {
  readonly direction: Direction;
  readonly peer: Peer;
  readonly protocol: Protocol;
  readonly port: number;
  /** The port that was asked for, where a Service translates it. No verdict depends on it. */
  readonly servicePort?: number;
}

/** One tier of a cluster's policies. */
export interface EvaluatorTier {
  /** @param subject a pod that policy can select */
  evaluate(subject: Pod, flow: SubjectFlow): TierAnswer;
}
