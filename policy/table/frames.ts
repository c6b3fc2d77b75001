/**
 * What the injector and a sidecar say to each other. Each frame is one line of JSON, on a unix socket as over TLS.
 * `readInjectorFrame` and `readSidecarFrame` check what arrives.
 */

import { nullable, object, type TypeOf, tagged } from '../../common/shape.ts';
import { deltaForm, malformed, tableForm } from './form.ts';
import { address, anyText, whole } from './parts.ts';
import { peerIdentity } from './table.ts';

const injectorFrame = tagged('type', {
  /** The whole table. First on each connection; later when a delta would not do. */
  snapshot: object({ table: tableForm }),
  delta: object({ delta: deltaForm }),
  /** The source is alive and `revision` is current. Every few seconds; keeps the table's age near zero. */
  heartbeat: object({ revision: whole }),
  /** The injector does not know the pod (yet): the sidecar keeps what it has and waits. */
  'unknown-pod': object({ message: anyText }),
  /** The injector turns this connection away and ends it: the sidecar keeps what it has and tries again. */
  refused: object({ message: anyText }),
  /** Answers `identify`: the pod that has the address, or had it a short while ago; `null`: none. */
  identity: object({ address, pod: nullable(peerIdentity) }),
  /**
   * Another replica shall serve this sidecar: it connects again, and stays until its table comes on that connection. Only from
   * `WireVersion` 2 on.
   */
  moved: object({ message: anyText }),
});

/** From the injector to a sidecar. */
export type InjectorFrame = TypeOf<typeof injectorFrame>;

const sidecarFrame = tagged('type', {
  /**
   * First on a unix socket: whose table is wanted. Any schema number is a well-formed hello: the injector answers one it does
   * not speak.
   */
  hello: object({ schema: whole, namespace: anyText, pod: anyText }),
  /** First over TLS: a token of the pod whose table is wanted. */
  'token-hello': object({ schema: whole, token: anyText }),
  /** `revision` is enforced: every flow it disallows has been ended. 0: none is, any more. */
  ack: object({ revision: whole }),
  /** A frame was refused whole; the last good table stays in force. The injector answers with a snapshot. */
  nack: object({ revision: whole, code: anyText, message: anyText }),
  /** Who has this canonical address? For records only: a verdict never waits. Too many questions stay unanswered. */
  identify: object({ address }),
});

/** From a sidecar to the injector. */
export type SidecarFrame = TypeOf<typeof sidecarFrame>;

/** Reads a frame from the injector, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole. */
export function readInjectorFrame(value: unknown): InjectorFrame {
  return injectorFrame.read(value, 'frame', malformed);
}

/** Reads a frame from a sidecar, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole. */
export function readSidecarFrame(value: unknown): SidecarFrame {
  return sidecarFrame.read(value, 'frame', malformed);
}
