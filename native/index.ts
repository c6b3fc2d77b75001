/** The addon, for what Node lacks: transparent and marked sockets, netlink, the thread of the relay, and the one that waits for reports. It decides nothing. */

export { type Addon, type Family, loadAddon } from './addon.ts';
export { type DestroyedSocket, destroyFound, destroySockets, type SparedStates } from './destroy.ts';
export { type FoundSocket, lookUpSockets } from './look_up.ts';
export { NETLINK_PROTOCOLS, Netlink } from './netlink.ts';
export {
  type Attributes,
  attribute,
  hostUint16,
  hostUint32,
  message,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  nested,
  readAttributes,
  readHostUint32,
  readHostUint64,
  readList,
  readUint64,
  text,
  uint16,
  uint32,
} from './netlink_message.ts';
export { Readiness } from './readiness.ts';
export { type NativeEnd, type NativeEnded, NativeRelay } from './relay.ts';
export type { AddressPair, SocketHandle } from './socket_handle.ts';
export { openSockets, type Sockets } from './sockets.ts';
