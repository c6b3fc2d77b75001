/** What a session and the transport that carries it share. */
import type { FrameBytes } from '../frames/index.ts';
import type { ViewLimits } from './partial_view.ts';

/** The transport's side of a session. */
export interface SessionLink {
  /** Bytes accepted by `send` that the peer's socket has not taken yet. */
  readonly queuedBytes: number;
  /** Queues a frame. Never throws, never blocks; after the connection's end it does nothing. */
  send(frame: FrameBytes): void;
  /** Ends the connection. `flush` sends what is queued first, for a short while; otherwise it is dropped. */
  close(how: 'flush' | 'drop'): void;
}

/** Why the injector ended a session; a label of `sluice_injector_sessions_cut_total`. */
export type CutReason =
  | 'bad-frame'
  | 'moved'
  | 'no-hello'
  | 'no-table'
  | 'pod-gone'
  | 'replaced'
  | 'schema'
  | 'slow'
  | 'stopping'
  | 'token'
  | 'too-many';

/** The pod of a session. `uid` comes from a token: only the pod that has it is served. A local sidecar has none. */
export interface SessionPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** Bounds of a session. */
export interface SessionLimits extends ViewLimits {
  /** A session with more than this queued is cut instead of sent more. A single frame may be larger. */
  readonly maxQueuedBytes: number;
  /** A queue that has not become shorter for this many heartbeats is cut. */
  readonly maxStalledBeats: number;
  /** A snapshot that was refused is not sent again sooner, unless the table changes. */
  readonly refusedRetryMs: number;
  /** Questions about addresses answered per heartbeat; those above stay unanswered. */
  readonly maxQuestions: number;
  /** How long a session lasts where there is another replica: anything between the two. */
  readonly leastAgeMs: number;
  readonly mostAgeMs: number;
}
