/** What the rooms of the sidecar ask of the kernel: nft, netlink, sockets, connection tracking, marks. It decides nothing. */

export { addressBytes, addressText, portAt } from './address_bytes.ts';
export { APP_LEG_MARK, APP_LEG_PORTS } from './app_leg_marking.ts';
export { backlogRoom } from './backlog.ts';
export {
  forgetFlows,
  movedFlows,
  openHandshakes,
  type Side,
  TCP_STATES,
  type TrackedEntry,
  type TrackedFlow,
  tcpFlows,
  trackedFlows,
} from './conntrack.ts';
export { ConntrackEvents, type FlowEvent, ROWS_AT_ONCE, type TakenEvents } from './conntrack_events.ts';
export { EventRows, ROW, ROW_WORDS } from './event_rows.ts';
export { INJECTOR_MARK, INJECTOR_MARK_MASK } from './injector_mark.ts';
export { isSwitchedOn, kernelFamilies } from './kernel_families.ts';
export { listNft, runNft, tryNft } from './nft.ts';
export { areAbsent, findChain } from './nft_chains.ts';
export {
  CHAINS_MAX,
  type CountedElement,
  changeElements,
  countedElements,
  ELEMENTS_MAX,
  type ElementChange,
  ElementWriter,
} from './nft_elements.ts';
export { firstFailure, hasFailed } from './order_results.ts';
export { PROTOCOL_BY_NUMBER } from './protocols.ts';
export { type EndedSocket, SocketEnds, type WantedPorts } from './socket_ends.ts';
export { SynCookies } from './syn_cookies.ts';
export {
  type DestroyedSocket,
  destroySockets,
  destroySocketsAt,
  isListening,
  SOCKET_STATES,
  type SocketPair,
  socketCookie,
  type TcpSocket,
  tcpSockets,
  tcpSocketsAt,
} from './tcp_sockets.ts';
export { tryTool } from './tools.ts';
export { whyNotDirect } from './why_not_direct.ts';
