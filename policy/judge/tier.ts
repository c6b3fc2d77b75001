/** A tier of policy in one pod's table. */

import type { Protocol } from '../model.ts';
import type { SubjectFlow } from '../rules/index.ts';
import type { TierAnswer } from '../verdict.ts';

/** One tier of one direction of a table. */
export interface JudgeTier {
  /** Hot path: no near miss, few allocations. `address` is the peer's, canonical. */
  judge(address: string, protocol: Protocol, port: number): TierAnswer;
  /** Whether its rules ask for partial groups. */
  readonly hasPartial: boolean;
  /** Whether a partial group would let an address that it may have reach the port, or be reached there. */
  mayAdmitOnceMet(protocol: Protocol, port: number): boolean;
  /** The same answer with the rules that came near filled in. `flow.peer` is who has `address`. */
  explain(address: string, flow: SubjectFlow): TierAnswer;
}
