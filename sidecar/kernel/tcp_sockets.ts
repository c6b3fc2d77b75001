/** The TCP sockets of this network namespace, of all processes: listing and destroying. Source: sock_diag(7). */

import {
  type AddressPair,
  destroySockets as destroyByHandle,
  destroyFound,
  type FoundSocket,
  hostUint32,
  lookUpSockets,
  NETLINK_PROTOCOLS,
  type NetlinkMessage,
  readAttributes,
  readHostUint32,
  readHostUint64,
  type SocketHandle,
} from '../../native/index.ts';
import { addressBytes, addressText, portAt } from './address_bytes.ts';
import type { Side } from './conntrack.ts';
import { dump } from './exchange.ts';
import { TCP_LISTEN } from './socket_question.ts';

/** A connected socket that a process has open, or a connection that is being opened to a listener. */
export interface TcpSocket {
  readonly local: Side;
  readonly remote: Side;
  /** A listener has answered its SYN; no process has this connection yet. */
  readonly isArriving: boolean;
  /** Bytes that the process has sent, without retransmissions, and received. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** What the kernel knows the socket by; an address or port used again is another. */
  readonly handle: SocketHandle;
}

/** A connection by its ends. */
export interface SocketPair {
  readonly local: Side;
  readonly remote: Side;
  /** See `socketCookie`; where it is known, another socket with these ends is not meant. */
  readonly cookie?: number | undefined;
}

/** A socket that was to be destroyed. */
export interface DestroyedSocket {
  /** What it was until then. */
  readonly socket: TcpSocket;
  /** 0 or a negative error number. */
  readonly result: number;
}

/** The older question, whose answer has the sockets of both families: each dump walks the whole table of the machine's sockets. */
const TCPDIAG_GETSOCK = 18;
const AF_INET = 2;
/** tcp_states.h */
const TCP_SYN_RECV = 3;
const TCP_FIN_WAIT1 = 4;
const TCP_FIN_WAIT2 = 5;
const TCP_LAST_ACK = 9;
const TCP_CLOSING = 11;

/**
 * Sets of states, to be combined with `|`. `live`: a connection can carry data in at least one direction (ESTABLISHED, FIN_WAIT1
 * and 2, CLOSE_WAIT). `arriving`: a listener has answered a SYN (SYN_RECV); no process has this connection yet. `closing`: the kernel
 * may still send what a process has left behind (LAST_ACK, CLOSING, and FIN_WAIT1 after a process closed it).
 */
export const SOCKET_STATES = {
  live: (1 << 1) | (1 << 4) | (1 << 5) | (1 << 8),
  arriving: 1 << TCP_SYN_RECV,
  closing: (1 << TCP_LAST_ACK) | (1 << TCP_CLOSING),
} as const;

/** What `socketOf` does not take for a connection. */
const SPARED = { always: 1 << TCP_LISTEN, left: 1 << TCP_FIN_WAIT2 } as const;

/** Asks for `struct tcp_info`. */
const INFO = 2;
const WITH_INFO = 1 << (INFO - 1);

/** Where things are in `struct inet_diag_msg`, `inet_diag_sockid` and `tcp_info`. */
const STATE_AT = 1;
const ID_AT = 4;
const ID_BYTES = 48;
const INODE_AT = 68;
/** Of `struct inet_diag_msg`. */
export const MESSAGE_BYTES = 72;
const LOCAL_PORT_AT = 0;
const REMOTE_PORT_AT = 2;
const LOCAL_AT = 4;
const REMOTE_AT = 20;
const COOKIE_AT = 40;
const BYTES_RECEIVED_AT = 128;
const BYTES_SENT_AT = 200;
const BYTES_RETRANSMITTED_AT = 208;
const INFO_BYTES_MIN = 216;

/**
 * Every socket in these states that is `wanted`; those that only the kernel still has, after a process closed them, are left out,
 * but for those that are `closing`.
 * Connections that no process has accepted yet are not.
 * @param wanted asked before the rest of a socket is read: most are not
 * @param states of `SOCKET_STATES`
 */
export async function* tcpSockets(
  wanted: (local: Side, remote: Side) => boolean,
  states: number = SOCKET_STATES.live,
): AsyncGenerator<readonly TcpSocket[], void, void> {
  const body = [listRequest(WITH_INFO, states)];
  const isClosingWanted = (states & SOCKET_STATES.closing) !== 0;
  for await (const messages of dump(NETLINK_PROTOCOLS.SOCK_DIAG, { type: TCPDIAG_GETSOCK, body })) {
    yield messages.flatMap((one) => readSocket(one, wanted, isClosingWanted) ?? []);
  }
}

/**
 * The connections that have these ends, each as `tcpSockets` has it; of a listener there is none. Some 3 us each, and the caller waits: so
 * some hundreds at a time.
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export function tcpSocketsAt(ends: readonly SocketPair[]): readonly (TcpSocket | undefined)[] {
  const found = lookUpSockets(pairsOf(ends));
  return ends.map((one, index) => socketOf(one, found[index]));
}

/**
 * Finds connections as `tcpSocketsAt` does, and ends them as `destroySockets` does, on one thread of Node's pool: for at most 1,024, which
 * take some 25 ms. A connection that is bound to an interface may not be found.
 * @returns for each what it was, and 0 or a negative error number; `undefined` for one that was not found
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`; some may have ended then
 */
export async function destroySocketsAt(
  ends: readonly SocketPair[],
): Promise<readonly (DestroyedSocket | undefined)[]> {
  const destroyed = await destroyFound(pairsOf(ends), SPARED);
  return ends.map((one, index) => {
    const { socket: found, result = 0 } = destroyed[index] ?? {};
    const socket = socketOf(one, found);
    return socket && { socket, result };
  });
}

function pairsOf(ends: readonly SocketPair[]): readonly AddressPair[] {
  const bytes = new Map<string, Uint8Array>(); // most ends have an address that another has too
  const bytesOf = (address: string): Uint8Array => {
    const known = bytes.get(address) ?? addressBytes(address);
    bytes.set(address, known);
    return known;
  };
  return ends.map(({ local, remote, cookie }) => ({
    local: bytesOf(local.address),
    localPort: local.port,
    remote: bytesOf(remote.address),
    remotePort: remote.port,
    cookie,
  }));
}

/**
 * Whether somebody listens there, for clients of any interface.
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export function isListening({ address, port }: Side): boolean {
  const local = addressBytes(address);
  // Nobody is connected from no address.
  const remote = new Uint8Array(local.length);
  const [found] = lookUpSockets([{ local, localPort: port, remote, remotePort: 0 }]);
  return found?.state === TCP_LISTEN;
}

function socketOf({ local, remote }: SocketPair, found: FoundSocket | undefined): TcpSocket | undefined {
  if (found === undefined || found.state === TCP_LISTEN) return undefined;
  const { state, hasProcess, bytesSent, bytesReceived, handle } = found;
  if (isLeft(state, true) && !hasProcess) return undefined;
  return { local, remote, isArriving: state === TCP_SYN_RECV, bytesSent, bytesReceived, handle };
}

/** Whether a socket that no process has is left out: this side has closed it, and has nothing more to send, or that is not wanted. */
function isLeft(state: number | undefined, isClosingWanted: boolean): boolean {
  return state === TCP_FIN_WAIT2 || (state === TCP_FIN_WAIT1 && !isClosingWanted);
}

/**
 * Ends connections with a reset at both ends, and drops those that are being opened.
 * @returns for each 0 or a negative error number: ENOENT when it is not there any more, EOPNOTSUPP when the kernel cannot
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export function destroySockets(sockets: readonly TcpSocket[]): Promise<readonly number[]> {
  return destroyByHandle(sockets.map(({ handle }) => handle));
}

/** `struct inet_diag_req`; its family and its socket count for nothing in a list. */
function listRequest(extensions: number, states: number): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(AF_INET, 0, 0, extensions),
    new Uint8Array(ID_BYTES),
    hostUint32(states),
    new Uint8Array(4),
  ]);
}

function readSocket(
  { body }: NetlinkMessage,
  wanted: (local: Side, remote: Side) => boolean,
  isClosingWanted: boolean,
): TcpSocket | undefined {
  if (body.length < MESSAGE_BYTES) return undefined;
  const state = body[STATE_AT];
  if (isLeft(state, isClosingWanted) && readHostUint32(body, INODE_AT) === 0) return undefined;
  const { local, remote } = socketSides(body);
  if (!wanted(local, remote)) return undefined;
  const info = socketInfo(body);
  const bytes = info === undefined ? { sent: 0, received: 0 } : socketBytes(info);
  return {
    local,
    remote,
    isArriving: state === TCP_SYN_RECV,
    bytesSent: bytes.sent,
    bytesReceived: bytes.received,
    // Buffers of a dump are used again: what is kept has to be copied.
    handle: { family: body[0] ?? 0, id: body.slice(ID_AT, ID_AT + ID_BYTES) },
  };
}

/** What the kernel calls a socket: no other has the same, as long as the machine runs. */
export function socketCookie({ id }: Pick<SocketHandle, 'id'>): number {
  return readHostUint64(id, COOKIE_AT);
}

/** The same, of an `inet_diag_msg`. */
export function cookieAt(body: Uint8Array): number {
  return readHostUint64(body, ID_AT + COOKIE_AT);
}

/** The two ends in an `inet_diag_msg`. */
export function socketSides(body: Uint8Array): { readonly local: Side; readonly remote: Side } {
  const length = body[0] === AF_INET ? 4 : 16;
  const side = (addressAt: number, ofPort: number): Side => ({
    address: addressText(body, ID_AT + addressAt, ID_AT + addressAt + length),
    port: portAt(body, ID_AT + ofPort),
  });
  return { local: side(LOCAL_AT, LOCAL_PORT_AT), remote: side(REMOTE_AT, REMOTE_PORT_AT) };
}

/** `struct tcp_info` of an `inet_diag_msg`; undefined where the kernel is too old to count. */
export function socketInfo(body: Uint8Array): Uint8Array | undefined {
  const info = readAttributes(body, MESSAGE_BYTES).get(INFO);
  return info !== undefined && info.length >= INFO_BYTES_MIN ? info : undefined;
}

/** Bytes that the process has sent, without retransmissions, and that were received: with the end of the stream, if that came. */
export function socketBytes(info: Uint8Array): { readonly sent: number; readonly received: number } {
  const sent = readHostUint64(info, BYTES_SENT_AT) - readHostUint64(info, BYTES_RETRANSMITTED_AT);
  return { sent, received: readHostUint64(info, BYTES_RECEIVED_AT) };
}
