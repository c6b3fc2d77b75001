/** TCP sockets as the addon takes them, in lists: by what the kernel knows them by, or by their ends. Source: sock_diag(7), diag.h. */
import { endianness } from 'node:os';

/** What the kernel knows a socket by, as a listing of sock_diag has it; an address or port used again is another. */
export interface SocketHandle {
  /** AF_INET or AF_INET6, of the socket; this says nothing about its addresses. */
  readonly family: number;
  /** `struct inet_diag_sockid`. */
  readonly id: Uint8Array;
}

/** The ends of a connection. Addresses are 4 or 16 bytes. */
export interface AddressPair {
  readonly local: Uint8Array;
  readonly localPort: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
  /** The kernel's, of a socket that is known: another one with these ends is not meant. */
  readonly cookie?: number | undefined;
}

const AF_INET = 2;
const AF_INET6 = 10;
const IPV4_BYTES = 4;

/** `struct socket_handle` of diag.h, and where things are in it. */
const HANDLE_BYTES = 52;
const ID_AT = 4;
const LOCAL_PORT_AT = ID_AT;
const REMOTE_PORT_AT = ID_AT + 2;
const LOCAL_AT = ID_AT + 4;
const REMOTE_AT = ID_AT + 20;
const INTERFACE_AT = ID_AT + 36;
const COOKIE_AT = ID_AT + 40;

/** The kernel has the interface in the machine's own order. */
const LITTLE_ENDIAN = endianness() === 'LE';

/**
 * Fills the cookie of a socket whose cookie is not known. A known cookie is written as two 32-bit halves, the lower first, each in the
 * machine's byte order.
 */
const NO_COOKIE = 0xff;
const HALF = 2 ** 32;

/** A list of sockets. */
export function listOf(handles: readonly SocketHandle[]): Uint8Array {
  const list = new Uint8Array(handles.length * HANDLE_BYTES);
  let at = 0;
  for (const { family, id } of handles) {
    list[at] = family;
    list.set(id.length > HANDLE_BYTES - ID_AT ? id.subarray(0, HANDLE_BYTES - ID_AT) : id, at + ID_AT);
    at += HANDLE_BYTES;
  }
  return list;
}

/**
 * A list of what has these ends. It is not to be destroyed by that: it may be a listener.
 * @param uplink index of the interface that their packets come from: a socket that is bound to another one is not meant; 0: to any one
 */
export function listOfPairs(pairs: readonly AddressPair[], uplink: number): Uint8Array {
  const list = new Uint8Array(pairs.length * HANDLE_BYTES);
  const view = new DataView(list.buffer);
  let at = 0;
  for (const { local, localPort, remote, remotePort, cookie } of pairs) {
    list[at] = local.length === IPV4_BYTES ? AF_INET : AF_INET6;
    list[at + LOCAL_PORT_AT] = localPort >>> 8;
    list[at + LOCAL_PORT_AT + 1] = localPort;
    list[at + REMOTE_PORT_AT] = remotePort >>> 8;
    list[at + REMOTE_PORT_AT + 1] = remotePort;
    list.set(local, at + LOCAL_AT);
    list.set(remote, at + REMOTE_AT);
    view.setUint32(at + INTERFACE_AT, uplink, LITTLE_ENDIAN);
    if (cookie === undefined) list.fill(NO_COOKIE, at + COOKIE_AT, at + HANDLE_BYTES);
    else {
      view.setUint32(at + COOKIE_AT, cookie % HALF, LITTLE_ENDIAN);
      view.setUint32(at + COOKIE_AT + 4, Math.floor(cookie / HALF), LITTLE_ENDIAN);
    }
    at += HANDLE_BYTES;
  }
  return list;
}

/** One of a list, whose bytes it shares. */
export function handleAt(list: Uint8Array, index: number): SocketHandle {
  const at = index * HANDLE_BYTES;
  return { family: list[at] ?? 0, id: list.subarray(at + ID_AT, at + HANDLE_BYTES) };
}
