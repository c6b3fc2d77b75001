/** One pod's table: its form, its deltas, the frames that carry them, and the checks of what arrives. */

export { applyDelta } from './apply_delta.ts';
export { type AskedOfPeers, asFarAsAsked, askedOfPeers, NOTHING_ASKED } from './asked_of_peers.ts';
export { DNS_SERVICES, type DnsServers, dnsForgottenBy, dnsServers, forgottenDns } from './dns.ts';
export { readTable } from './form.ts';
export { type InjectorFrame, readInjectorFrame, readSidecarFrame, type SidecarFrame } from './frames.ts';
export { DemandIndex } from './group_demand.ts';
export { hasSorted } from './membership.ts';
export { containerPort } from './parts.ts';
export { Replay } from './replay.ts';
export { Comparisons, sameData } from './same_data.ts';
export {
  type AddressGroup,
  type Backend,
  type DirectionTable,
  type GroupDelta,
  type PeerIdentity,
  type PodIdentity,
  type Subject,
  TABLE_SCHEMA,
  type Table,
  type TableDelta,
  type TablePeer,
  type TableRule,
  type VirtualPort,
} from './table.ts';
export { deltaText, fileRefused, readDeltaFile, readTableFile, tableText } from './text.ts';
export { touchedPeers } from './touched_peers.ts';
export { virtualKey } from './virtual_key.ts';
export { WIRE_PROTOCOLS, type WireVersion, wireVersion } from './wire.ts';
