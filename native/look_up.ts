/** Looks up TCP sockets of this network namespace, of all processes, by their addresses and ports. Source: sock_diag(7). */
import { type Addon, loadAddon } from './addon.ts';
import { uplinkIndexes } from './interfaces.ts';
import { checkedNetlink } from './netlink.ts';
import { type AddressPair, handleAt, listOfPairs, type SocketHandle } from './socket_handle.ts';

/** What the kernel says of a socket. */
export interface FoundSocket {
  /** As in tcp_states.h. */
  readonly state: number;
  /** A process has it open. */
  readonly hasProcess: boolean;
  /** Bytes, without retransmissions. */
  readonly bytesSent: number;
  /** Bytes; the end of the stream counts as one. */
  readonly bytesReceived: number;
  /** With the kernel's cookie. */
  readonly handle: SocketHandle;
}

/** Numbers in `struct socket_facts` of look_up.h. */
export const FACTS = 4;

/** tcp_states.h */
const TCP_LISTEN = 10;

/** Of a socket that is bound to no interface. */
const UNBOUND = 0;

/**
 * Finds the socket that a packet to each of these would reach: a connection, or a listener where there is none. The kernel takes some 2 us
 * for each, and the caller waits. It finds what is bound to an interface only when asked about that one; what is bound to none is found by
 * any. So those that have no connection by the first interface are asked about by the others.
 * @returns `undefined` for one that is not there, or that the kernel does not name
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export function lookUpSockets(
  pairs: readonly AddressPair[],
  addon: Addon = loadAddon(),
): readonly (FoundSocket | undefined)[] {
  if (pairs.length === 0) return [];
  const [first = UNBOUND, ...others] = uplinkIndexes(addon);
  const found = [...lookUpBy(first, pairs, addon)];
  for (const uplink of others) {
    const missing = [...found.keys()].filter((index) => !isConnection(found[index]));
    if (missing.length === 0) break;
    const asked = missing.flatMap((index) => pairs[index] ?? []);
    for (const [place, socket] of lookUpBy(uplink, asked, addon).entries()) {
      const index = missing[place] ?? 0;
      if (isConnection(socket) || found[index] === undefined) found[index] = socket;
    }
  }
  return found;
}

function isConnection(found: FoundSocket | undefined): boolean {
  return found !== undefined && found.state !== TCP_LISTEN;
}

function lookUpBy(
  uplink: number,
  pairs: readonly AddressPair[],
  addon: Addon,
): readonly (FoundSocket | undefined)[] {
  const list = listOfPairs(pairs, uplink);
  const facts = new Float64Array(pairs.length * FACTS);
  checkedNetlink('look up sockets with', addon.lookUpSockets(list, facts));
  return pairs.map((_, index) => foundAt(list, facts, index));
}

/** What the kernel said of one of a list; `undefined`: it is not there. */
export function foundAt(list: Uint8Array, facts: Float64Array, index: number): FoundSocket | undefined {
  const at = index * FACTS;
  const state = facts[at] ?? 0;
  if (state <= 0) return undefined;
  return {
    state,
    hasProcess: facts[at + 1] === 1,
    bytesSent: facts[at + 2] ?? 0,
    bytesReceived: facts[at + 3] ?? 0,
    handle: handleAt(list, index),
  };
}
