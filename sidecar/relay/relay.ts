/**
 * What a relay is to the sidecar: it accepts what TPROXY delivers, and on admission dials the app and moves the bytes.
 * It decides nothing. There are two, under the same tests: `splice_relay.ts` on a native thread, which is for pods, and the
 * reference on node:net (`reference/`), which is for tests.
 */
import type { AddressPort } from '../../common/net.ts';
import type { Family, Sockets } from '../../native/index.ts';

/** One end of a connection. */
export type Endpoint = AddressPort;

/** An accepted connection. It waits, unread, until it is admitted, reset or finished; each of these has no effect twice. */
export interface Connection {
  readonly family: Family;
  readonly source: Endpoint;
  /** The original destination. */
  readonly destination: Endpoint;
  /** It is being dialled already, by an admission that the relay remembers, or as the gate has judged it. */
  readonly admitted: boolean;
  /** It was admitted so since the last `forgetAdmissions`: where the table in force denies it, the gate has other rules than it should. */
  readonly admittedSince: boolean;
  /** Has the relay forget what it remembers, and ask about connections until the gate is in force once more. */
  doubtGate(): void;
  /** Dials the destination from the source's address, then relays until both sides have finished. */
  admit(): void;
  /** Resets the source's side; `reset` is to follow. Of many flows this is done first for all. */
  resetSource(): void;
  /** Resets both sides. */
  reset(): void;
  /** Closes the source's side in order; only before admission. */
  finish(): void;
  progress(): Progress;
}

/** How far a connection is. */
export interface Progress {
  /** The destination has been reached. */
  readonly relaying: boolean;
  /** Bytes passed on from the source, and to it. */
  readonly fromSource: number;
  readonly toSource: number;
}

/**
 * How a connection ended.
 *
 * - `closed`: both sides finished, or by `finish`.
 * - `broken`: reset by one of both sides; the direct path does not know which.
 * - `peer-timeout`: nothing came back from one side, until the kernel gave it up.
 * - `stalled`: it stood still while the buffers of all flows were full.
 * - `idle-timeout`: nothing passed for `idleMs`.
 * - `reset`: by `reset`.
 * - `unreachable`: the destination did not accept in time.
 * - `shortage`: out of descriptors, memory or ports.
 * - `dial-failed`: no socket could be made, for another reason.
 */
export type RelayEnd =
  | 'closed'
  | 'reset-by-source'
  | 'reset-by-destination'
  | 'broken'
  | 'peer-timeout'
  | 'stalled'
  | 'idle-timeout'
  | 'reset'
  | 'unreachable'
  | 'shortage'
  | 'dial-failed';

/** The last of a connection. */
export interface Ending {
  readonly end: RelayEnd;
  /** errno behind it, such as ECONNREFUSED. */
  readonly error?: string;
  readonly fromSource: number;
  readonly toSource: number;
  readonly durationMs: number;
}

/** Who a connection belongs to. In the sidecar, `InboundFlow` of `sidecar/inbound/`. */
export interface ConnectionOwner {
  /** Called once, later than `accepted`, when the connection has ended and all its descriptors are closed. */
  ended(ending: Ending): void;
}

/** What happens at a relay. In the sidecar, `InboundAcceptor` of `sidecar/inbound/` hears it. */
export interface RelayEvents {
  /** @returns who hears of its end */
  accepted(connection: Connection): ConnectionOwner;
  /** A connection could not be accepted: `error` is an errno such as EMFILE. Accepting goes on. */
  acceptFailed(error: string): void;
}

/** A running relay. */
export interface Relay {
  readonly families: readonly Family[];
  /**
   * Forgets every admission that it remembers. To be called between putting a new table in force and asking it about the flows
   * that are live. When this returns, `accepted` has been called for each flow that an admission let in before. A flow that is
   * being accepted at that very moment is reported a moment later, and judged then: see `settled`. A change waits for these calls: those of the
   * last 3 ms, or, where the main thread was busy for long, 4,096 a thread at most.
   */
  forgetAdmissions(): void;
  /**
   * Resolves when `accepted` has been called for each connection that was accepted until now, and what that has asked for is done. The
   * native relay's thread may be late with both, where the machine is busy. Never rejects.
   */
  settled(): Promise<void>;
  /**
   * Whether the gate is in force with the table in force. While it is, the native relay dials a connection whose SYN the gate has judged
   * by that table before it is asked; it reports it a moment later, as it does those that it remembers. `forgetAdmissions` ends this.
   */
  trustGate(inForce: boolean): void;
  /**
   * Closes the listeners; accepted connections go on. The native relay first accepts what waits already, as far as connections
   * may wait for a decision.
   */
  stopAccepting(): void;
  /** Resets what is left; no event follows. */
  close(): void;
}

/** What a relay needs. */
export interface RelaySettings {
  readonly sockets: Sockets;
  /** It listens on all of `inboundPorts`. */
  readonly inboundPort: number;
  readonly connectTimeoutMs: number;
  /** Silence of the client before it is probed. */
  readonly keepAliveMs: number;
  /** Connections to these TCP ports, and to `inboundPorts`, always wait to be admitted: no gate judges them. */
  readonly adminPort: number;
  readonly canaryPort: number;
  /** Silence of the client before it is given up. */
  readonly peerTimeoutMs: number;
  /** Most flows at once; the sidecar refuses what is beyond it. */
  readonly connectionLimit: number;
  /** Most pipes that may be open, two descriptors each. */
  readonly pipeLimit: number;
  /** Most bytes in the buffers of flows, the kernel's included; the native relay keeps to it by ending those that stall. */
  readonly bufferBytes: number;
  /** A flow over which nothing passes for so long is ended; 0: never. */
  readonly idleMs: number;
  readonly threads: number;
}
