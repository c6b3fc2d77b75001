/** Looks up TCP sockets of this network namespace, of all processes, by their addresses and ports. Source: sock_diag(7). */
import { type Addon, loadAddon } from './addon.ts';
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

/** `struct socket_facts` of look_up.h. */
const FACTS = 4;

/**
 * Finds the socket that a packet to each of these would reach: a connection, or a listener where there is none. The kernel takes some 2 us
 * for each, and the caller waits.
 * @returns `undefined` for one that is not there, or that the kernel does not name
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export function lookUpSockets(
  pairs: readonly AddressPair[],
  addon: Addon = loadAddon(),
): readonly (FoundSocket | undefined)[] {
  const list = listOfPairs(pairs);
  const facts = new Float64Array(pairs.length * FACTS);
  checkedNetlink('look up sockets with', addon.lookUpSockets(list, facts));
  return pairs.map((_, index) => {
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
  });
}
