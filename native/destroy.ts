/** Destroys TCP sockets of this network namespace, of all processes, on a thread of Node's pool. Source: sock_diag(7). */
import { type Addon, loadAddon } from './addon.ts';
import { checkedNetlink } from './netlink.ts';
import { listOf, type SocketHandle } from './socket_handle.ts';

/** Sockets of one call: it has a thread of the pool for some 20 ms. */
const SOCKETS_AT_ONCE = 1024;

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
    const list = listOf(handles.slice(from, from + SOCKETS_AT_ONCE));
    const results = new Int32Array(Math.min(SOCKETS_AT_ONCE, handles.length - from));
    checkedNetlink('destroy sockets with', await addon.destroySockets(list, results));
    all.push(...results);
  }
  return all;
}
