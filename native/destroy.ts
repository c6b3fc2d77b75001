/** Destroys TCP sockets of this network namespace, of all processes, on a thread of Node's pool. Source: sock_diag(7). */
import { type Addon, loadAddon } from './addon.ts';
import { uplinkIndexes } from './interfaces.ts';
import { FACTS, type FoundSocket, foundAt } from './look_up.ts';
import { checkedNetlink } from './netlink.ts';
import { type AddressPair, listOf, listOfPairs, type SocketHandle } from './socket_handle.ts';

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

/** Sets of states, each 1 << a state of tcp_states.h, in which a socket stays. */
export interface SparedStates {
  /** With or without a process that has it. */
  readonly always: number;
  /** Where no process has it. */
  readonly left: number;
}

/** What was found at the ends of a connection. */
export interface DestroyedSocket {
  readonly socket: FoundSocket;
  /** As `destroySockets` gives it; 0 for one that stays. */
  readonly result: number;
}

/** Of a machine with no uplink: a socket that is bound to no interface. */
const UNBOUND = 0;

/**
 * Looks up the socket that a packet to each of these would reach, and ends it, but for what is spared. The kernel is asked and ordered on
 * one thread of Node's pool, and the caller has the time meanwhile: some 25 us each, of at most `SOCKETS_AT_ONCE`. Looked up is by the first
 * uplink: what is bound to another interface is not found. See `lookUpSockets`, which asks about all.
 * @returns `undefined` for one that is not there
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`; some may have ended then
 */
export async function destroyFound(
  pairs: readonly AddressPair[],
  spared: SparedStates,
  addon: Addon = loadAddon(),
): Promise<readonly (DestroyedSocket | undefined)[]> {
  if (pairs.length === 0) return [];
  const [uplink = UNBOUND] = uplinkIndexes(addon);
  const list = listOfPairs(pairs, uplink);
  const facts = new Float64Array(pairs.length * FACTS);
  const results = new Int32Array(pairs.length);
  const done = addon.destroyFound(list, facts, results, spared.always, spared.left);
  checkedNetlink('destroy sockets with', await done);
  return pairs.map((_, index) => {
    const socket = foundAt(list, facts, index);
    return socket && { socket, result: results[index] ?? 0 };
  });
}
