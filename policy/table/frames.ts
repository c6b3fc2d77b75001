/**
 * What the injector and a sidecar say to each other. Each frame is one line of JSON, on a unix socket as over TLS.
 * `readInjectorFrame` and `readSidecarFrame` check what arrives.
 */

import { PATH_USES } from '../../common/path.ts';
import { flag, list, nullable, object, oneOf, type TypeOf, tagged } from '../../common/shape.ts';
import { changeForm, malformed, tableForm } from './form.ts';
import { outlineForm } from './outline.ts';
import { type Unpack, unpackFrame } from './packed.ts';
import { address, anyText, whole } from './parts.ts';
import { peerIdentity } from './table.ts';

/** Frames from the injector that are the same in every schema. */
export const commonFrames = {
  /** The source is alive and `revision` is current. Every few seconds; keeps the table's age near zero. */
  heartbeat: object({ revision: whole }),
  /** The injector does not know the pod (yet): the sidecar keeps what it has and waits. */
  'unknown-pod': object({ message: anyText }),
  /** The injector turns this connection away and ends it: the sidecar keeps what it has and tries again. */
  refused: object({ message: anyText }),
  /**
   * Another replica shall serve this sidecar: it connects again, and stays until its table comes on that connection. Only from
   * `WireVersion` 2 on.
   */
  moved: object({ message: anyText }),
};

const injectorFrame = tagged('type', {
  ...commonFrames,
  /** The whole table. First on each connection; later when a change would not do. */
  snapshot: object({ table: tableForm }),
  change: object({ change: changeForm }),
  /**
   * The table, in outline. First on a connection to a sidecar that holds a table, which answers with `want`; then once more, with
   * the parts that it wants, unless it wants none.
   */
  outline: object({ outline: outlineForm }),
  /** Answers `identify`: the pod that has the address, or had it a short while ago, with its tag; `null`: none. */
  identity: object({ address, pod: nullable(peerIdentity) }, { tag: anyText }),
  /**
   * Answers `meet`, after the tables and changes that bring those of the addresses that are members of partial groups: of the table
   * sent last, the others are not.
   */
  met: object({ addresses: list(address) }),
});

/** From the injector to a sidecar. */
export type InjectorFrame = TypeOf<typeof injectorFrame>;

/**
 * Members of large groups that a sidecar may have met at once: with more it is sent these groups whole, and asks for them whole on its
 * later connections.
 */
export const MAX_MET = 4_096;

/** Addresses in one `meet`: with the longest ones it is still within the bound of a line. */
export const MAX_MET_AT_ONCE = 1_024;

/** What a hello may say besides. Injectors that do not know a field refuse the hello. */
const helloFields = { holds: flag, partial: flag, path: oneOf(...PATH_USES) };

const sidecarFrame = tagged('type', {
  /**
   * First on a unix socket: whose table is wanted. Any schema number is a well-formed hello: the injector answers one it does
   * not speak. `holds`: the sidecar has a table and takes an outline. `partial`: it takes partial groups, see `AddressGroup`. `path`:
   * which way inbound TCP takes to the pod's app, for the injector's status only; absent: through the sidecar.
   */
  hello: object({ schema: whole, namespace: anyText, pod: anyText }, helloFields),
  /** First over TLS: a token of the pod whose table is wanted. */
  'token-hello': object({ schema: whole, token: anyText }, helloFields),
  /** Answers a first `outline`: the numbers of the parts that the sidecar lacks, see `partNames`. None: it has the table. */
  want: object({ parts: list(whole) }),
  /** `revision` is enforced: every flow it disallows has been ended. 0: none is, any more. */
  ack: object({ revision: whole }),
  /** A frame was refused whole; the last good table stays in force. The injector answers with a snapshot. */
  nack: object({ revision: whole, code: anyText, message: anyText }),
  /** Who has this canonical address? For records only: a verdict never waits. Too many questions stay unanswered. */
  identify: object({ address }),
  /**
   * Are these canonical addresses members of the table's partial groups? From now on the partial groups of this sidecar have those
   * of them that are, for as long as they are in any of them and the connection lasts. One that has left all of them, or was in
   * none, has to be asked again. At most `MAX_MET_AT_ONCE`. Too many questions stay unanswered.
   */
  meet: object({ addresses: list(address) }),
});

/** From a sidecar to the injector. */
export type SidecarFrame = TypeOf<typeof sidecarFrame>;

/**
 * Reads a frame from the injector, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole.
 * @param unpack for parts that come packed; absent: such parts are refused
 */
export function readInjectorFrame(value: unknown, unpack?: Unpack): InjectorFrame {
  return injectorFrame.read(unpackFrame(value, unpack), 'frame', malformed);
}

/** Reads a frame from a sidecar, already parsed as JSON. Throws TABLE_MALFORMED; a frame is refused whole. */
export function readSidecarFrame(value: unknown): SidecarFrame {
  return sidecarFrame.read(value, 'frame', malformed);
}
