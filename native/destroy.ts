/** Destroys TCP sockets of this network namespace, of all processes, on a thread of Node's pool. Source: sock_diag(7). */
import { type Addon, loadAddon } from './addon.ts';
import { checkedNetlink } from './netlink.ts';

/** What the kernel knows a socket by, as a listing of sock_diag has it; an address or port used again is another. */
export interface SocketHandle {
  /** AF_INET or AF_INET6, of the socket; this says nothing about its addresses. */
  readonly family: number;
  /** `struct inet_diag_sockid`. */
  readonly id: Uint8Array;
}

/** Sockets of one call: it has a thread of the pool for some 20 ms. */
const SOCKETS_AT_ONCE = 1024;

/** `struct doomed_socket` of destroy.h, and where the id is in it. */
const LISTED_BYTES = 52;
const ID_AT = 4;

/**
 * Ends connections with a reset at both ends, and drops those that are being opened.
 * @returns for each 0 or a negative error number: ENOENT when it is not there any more, EOPNOTSUPP when the kernel cannot
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export async function destroySockets(
  handles: readonly SocketHandle[],
  addon: Addon = loadAddon(),
): Promise<readonly number[]> {
  const all: number[] = [];
  for (let from = 0; from < handles.length; from += SOCKETS_AT_ONCE) {
    const piece = handles.slice(from, from + SOCKETS_AT_ONCE);
    const list = new Uint8Array(piece.length * LISTED_BYTES);
    for (const [index, { family, id }] of piece.entries()) {
      list[index * LISTED_BYTES] = family;
      list.set(id.subarray(0, LISTED_BYTES - ID_AT), index * LISTED_BYTES + ID_AT);
    }
    const results = new Int32Array(piece.length);
    checkedNetlink('destroy sockets with', await addon.destroySockets(list, results));
    all.push(...results);
  }
  return all;
}
