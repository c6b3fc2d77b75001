/** What a session asks of the server, and reports to it. */
import type { IdentifiedPeer } from '../../../policy/index.ts';
import type { InjectorMetrics } from '../../metrics.ts';
import type { Heartbeats, TableWriter } from '../frames/index.ts';
import type { ViewHost } from './partial_view.ts';
import type { SessionLimits, SessionPod } from './session_link.ts';

/** Who has an address. The tag is for those who have it in their table already. */
export type Identified = Pick<IdentifiedPeer, 'pod'> & { readonly tag?: string };

/** The server's side of its sessions. */
export interface SessionHost<Session> {
  /** Of what may change a table. No table has it while its pod has none. */
  readonly revision: number;
  readonly limits: SessionLimits;
  readonly metrics: InjectorMetrics;
  readonly heartbeats: Heartbeats;
  /** It is known whose table the session wants: it is to be sent now. */
  admit(session: Session): void;
  /** The sidecar needs its whole table, as it is now. */
  resend(session: Session): void;
  /** The sidecar has the table that it was sent: what has changed since is to be sent. */
  update(session: Session): void;
  /** How tables are written in a schema; undefined: that schema is not spoken. */
  writer(schema: number): TableWriter | undefined;
  /** A line of flows has come from the pod's sidecar; see `FrameReader`. */
  flows(podKey: string, pod: SessionPod, line: Uint8Array, isWhole: boolean): void;
  /** Who has a canonical address, or had it a short while ago; undefined: no pod. */
  identify(podKey: string, address: string): Identified | undefined;
  /** Whether the pod's sidecar may ask about one more address. It counts. */
  mayMeet(podKey: string, address: string): boolean;
  /** Whether the pod's sidecar, which refused what it was sent, may be sent a whole table now. It counts. */
  mayStartOver(podKey: string): boolean;
  /** For the view of a session that takes partial groups. */
  viewHost(session: Session, podKey: string): ViewHost;
  /** Whether a table or change for the session is to be sent soon. */
  isDue(session: Session): boolean;
  /** What the sidecar enforces, or what it is to enforce, may be another. */
  moved(session: Session): void;
  /** The session is over. */
  leave(session: Session): void;
}
