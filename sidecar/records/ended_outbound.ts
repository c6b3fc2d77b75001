/** What is recorded of an outbound flow. */

import type { FlowEnd } from '../../flows/index.ts';
import type { Protocol, Verdict } from '../../policy/index.ts';
import type { Side } from '../kernel/index.ts';
import type { FormerVerdict } from '../table/index.ts';

/** An outbound flow that ended, or was ended. */
export interface EndedOutbound {
  readonly protocol: Protocol;
  readonly local: Side;
  readonly remote: Side;
  readonly backend: Side;
  /** Of the pod that has the backend's address, where the table says it. */
  readonly tag: string | undefined;
  /** From and to the pod; absent where nobody counted them. */
  readonly bytesSent?: number | undefined;
  readonly bytesReceived?: number | undefined;
  readonly verdict: Verdict;
  readonly end: FlowEnd;
  /** Of a flow that a change of the table ended, where it is known. */
  readonly was?: FormerVerdict;
}
