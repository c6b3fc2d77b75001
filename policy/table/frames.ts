/**
 * What the injector and a sidecar say to each other. Each frame is one line of JSON, on a unix socket as over TLS.
 * `readInjectorFrame` and `readSidecarFrame` check what arrives.
 */

import { nullable, requireForm, shape, tagged, text } from './check.ts';
import { address, checkDelta, checkTable, peerIdentity, revision } from './form.ts';
import type { PeerIdentity, Table, TableDelta } from './table.ts';

/** From the injector to a sidecar. */
export type InjectorFrame =
  /** The whole table. First on each connection; later when a delta would not do. */
  | { readonly type: 'snapshot'; readonly table: Table }
  | { readonly type: 'delta'; readonly delta: TableDelta }
  /** The source is alive and `revision` is current. Every few seconds; keeps the table's age near zero. */
  | { readonly type: 'heartbeat'; readonly revision: number }
  /** The injector does not know the pod (yet): the sidecar keeps what it has and waits. */
  | { readonly type: 'unknown-pod'; readonly message: string }
  /** The injector turns this connection away and ends it: the sidecar keeps what it has and tries again. */
  | { readonly type: 'refused'; readonly message: string }
  /** Answers `identify`: the pod that has the address, or had it a short while ago; `null`: none. */
  | { readonly type: 'identity'; readonly address: string; readonly pod: PeerIdentity | null };

/** From a sidecar to the injector. */
export type SidecarFrame =
  /** First on a unix socket: whose table is wanted. */
  | { readonly type: 'hello'; readonly schema: number; readonly namespace: string; readonly pod: string }
  /** First over TLS: a token of the pod whose table is wanted. */
  | { readonly type: 'token-hello'; readonly schema: number; readonly token: string }
  /** `revision` is enforced: every flow it disallows has been ended. 0: none is, any more. */
  | { readonly type: 'ack'; readonly revision: number }
  /** A frame was refused whole; the last good table stays in force. The injector answers with a snapshot. */
  | { readonly type: 'nack'; readonly revision: number; readonly code: string; readonly message: string }
  /** Who has this canonical address? For records only: a verdict never waits. Too many questions stay unanswered. */
  | { readonly type: 'identify'; readonly address: string };

const anyText = text();

const injectorFrame = tagged('type', {
  snapshot: shape({ type: anyText, table: checkTable }),
  delta: shape({ type: anyText, delta: checkDelta }),
  heartbeat: shape({ type: anyText, revision }),
  'unknown-pod': shape({ type: anyText, message: anyText }),
  refused: shape({ type: anyText, message: anyText }),
  identity: shape({ type: anyText, address, pod: nullable(peerIdentity) }),
});

const sidecarFrame = tagged('type', {
  // Any schema number is a well-formed hello: the injector answers one it does not speak.
  hello: shape({ type: anyText, schema: revision, namespace: anyText, pod: anyText }),
  'token-hello': shape({ type: anyText, schema: revision, token: anyText }),
  ack: shape({ type: anyText, revision }),
  nack: shape({ type: anyText, revision, code: anyText, message: anyText }),
  identify: shape({ type: anyText, address }),
});

/** Reads a frame from the injector, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole. */
export function readInjectorFrame(value: unknown): InjectorFrame {
  requireForm(injectorFrame, value, 'frame');
  return value as InjectorFrame;
}

/** Reads a frame from a sidecar, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole. */
export function readSidecarFrame(value: unknown): SidecarFrame {
  requireForm(sidecarFrame, value, 'frame');
  return value as SidecarFrame;
}
