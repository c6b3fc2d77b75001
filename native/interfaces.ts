/** The interfaces of this network namespace. Source: rtnetlink(7). */
import { type Addon, loadAddon } from './addon.ts';
import { NETLINK_PROTOCOLS, Netlink } from './netlink.ts';
import { message, NLM_F_DUMP, readHostUint32 } from './netlink_message.ts';

const RTM_GETLINK = 18;

/** `struct ifinfomsg`, and where things are in it. */
const INFO_BYTES = 16;
const INDEX_AT = 4;
const FLAGS_AT = 8;
const IFF_LOOPBACK = 1 << 3;

/** More than a pod has: each costs a question about what others do not have. */
const UPLINKS_MAX = 16;

/**
 * Indexes of the interfaces that packets of others come from: all but the loopback, or the first of many. The caller waits some 50 us.
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export function uplinkIndexes(addon: Addon = loadAddon()): readonly number[] {
  const socket = new Netlink(NETLINK_PROTOCOLS.ROUTE, addon);
  const found: number[] = [];
  try {
    socket.send(message(RTM_GETLINK, NLM_F_DUMP, 1, [new Uint8Array(INFO_BYTES)]));
    for (let messages = socket.receive(); messages !== undefined; messages = socket.receive()) {
      for (const { body, result } of messages)
        if (result === undefined && body.length >= INFO_BYTES && !isLoopback(body))
          found.push(readHostUint32(body, INDEX_AT));
      if (messages.some(({ result }) => result !== undefined)) break;
    }
  } finally {
    socket.close();
  }
  return found.slice(0, UPLINKS_MAX);
}

function isLoopback(info: Uint8Array): boolean {
  return (readHostUint32(info, FLAGS_AT) & IFF_LOOPBACK) !== 0;
}
