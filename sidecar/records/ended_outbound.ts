/** What is recorded of an outbound flow. */
import type { Protocol, Verdict } from '../../policy/index.ts';
import type { Side } from '../kernel/index.ts';
import type { FlowEnd } from './flow_record.ts';

/** An outbound flow that ended, or was ended. */
export interface EndedOutbound {
  readonly protocol: Protocol;
  readonly local: Side;
  readonly remote: Side;
  readonly backend: Side;
  /** Of the pod that has the backend's address, where the table says it. */
  readonly tag: string | undefined;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly verdict: Verdict;
  readonly end: FlowEnd;
}
