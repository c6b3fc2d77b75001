/** The TCP sockets of this network namespace, of all processes: listing and destroying. Source: sock_diag(7). */

import {
  destroySockets as destroyByHandle,
  hostUint32,
  NETLINK_PROTOCOLS,
  type NetlinkMessage,
  readAttributes,
  readHostUint32,
  readHostUint64,
  type SocketHandle,
} from '../../native/index.ts';
import { addressText, portAt } from './address_bytes.ts';
import type { Side } from './conntrack.ts';
import { dump } from './exchange.ts';

/** A connected socket that a process has open, or a connection that is being opened to a listener. */
export interface TcpSocket {
  readonly local: Side;
  readonly remote: Side;
  /** Bytes that the process has sent, without retransmissions, and received. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** What the kernel knows the socket by; an address or port used again is another. */
  readonly handle: SocketHandle;
}

/** The older question, whose answer has the sockets of both families: each dump walks the whole table of the machine's sockets. */
const TCPDIAG_GETSOCK = 18;
const AF_INET = 2;
/** tcp_states.h */
const TCP_SYN_RECV = 3;

/**
 * Sets of states, to be combined with `|`. `live`: a connection can carry data in at least one direction (ESTABLISHED, FIN_WAIT1
 * and 2, CLOSE_WAIT). `arriving`: a listener has answered a SYN (SYN_RECV); no process has this connection yet.
 */
export const SOCKET_STATES = {
  live: (1 << 1) | (1 << 4) | (1 << 5) | (1 << 8),
  arriving: 1 << TCP_SYN_RECV,
} as const;

/** Asks for `struct tcp_info`. */
const INFO = 2;
const WITH_INFO = 1 << (INFO - 1);

/** Where things are in `struct inet_diag_msg`, `inet_diag_sockid` and `tcp_info`. */
const STATE_AT = 1;
const ID_AT = 4;
const ID_BYTES = 48;
const INODE_AT = 68;
const MESSAGE_BYTES = 72;
const LOCAL_PORT_AT = 0;
const REMOTE_PORT_AT = 2;
const LOCAL_AT = 4;
const REMOTE_AT = 20;
const BYTES_RECEIVED_AT = 128;
const BYTES_SENT_AT = 200;
const BYTES_RETRANSMITTED_AT = 208;
const INFO_BYTES_MIN = 216;

/**
 * Every socket in these states that is `wanted`; those that only the kernel still has, after a process closed them, are left out.
 * @param wanted asked before the rest of a socket is read: most are not
 * @param states of `SOCKET_STATES`
 */
export async function* tcpSockets(
  wanted: (local: Side, remote: Side) => boolean,
  states: number = SOCKET_STATES.live,
): AsyncGenerator<readonly TcpSocket[], void, void> {
  const body = [listRequest(WITH_INFO, states)];
  for await (const messages of dump(NETLINK_PROTOCOLS.SOCK_DIAG, { type: TCPDIAG_GETSOCK, body })) {
    yield messages.flatMap((one) => readSocket(one, wanted) ?? []);
  }
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
): TcpSocket | undefined {
  if (body.length < MESSAGE_BYTES) return undefined;
  if (readHostUint32(body, INODE_AT) === 0 && body[STATE_AT] !== TCP_SYN_RECV) return undefined;
  const family = body[0] ?? 0;
  const length = family === AF_INET ? 4 : 16;
  const side = (addressAt: number, ofPort: number): Side => ({
    address: addressText(body.subarray(ID_AT + addressAt, ID_AT + addressAt + length)),
    port: portAt(body, ID_AT + ofPort),
  });
  const [local, remote] = [side(LOCAL_AT, LOCAL_PORT_AT), side(REMOTE_AT, REMOTE_PORT_AT)];
  if (!wanted(local, remote)) return undefined;
  const info = readAttributes(body, MESSAGE_BYTES).get(INFO);
  const known = info !== undefined && info.length >= INFO_BYTES_MIN;
  return {
    local,
    remote,
    bytesSent: known ? readHostUint64(info, BYTES_SENT_AT) - readHostUint64(info, BYTES_RETRANSMITTED_AT) : 0,
    bytesReceived: known ? readHostUint64(info, BYTES_RECEIVED_AT) : 0,
    // Buffers of a dump are used again: what is kept has to be copied.
    handle: { family, id: body.slice(ID_AT, ID_AT + ID_BYTES) },
  };
}
