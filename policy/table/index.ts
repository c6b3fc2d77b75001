/** One pod's table: its form, its changes, the frames that carry them, and the checks of what arrives. */

export { type AskedOfPeers, asFarAsAsked, askedOfPeers, NOTHING_ASKED } from './asked_of_peers.ts';
export { applyChange, groupChange } from './change.ts';
export { DNS_PORT, DNS_SERVICES, type DnsServers, dnsForgottenBy, dnsServers, forgottenDns } from './dns.ts';
export {
  groupJson,
  inOrder,
  malformed,
  ofSchema,
  policyJson,
  readTable,
  TABLE_SCHEMA,
  type TableChange,
  type TableJson,
  tableJson,
  tableOf,
  tableWith,
} from './form.ts';
export {
  commonFrames,
  type InjectorFrame,
  MAX_MET,
  MAX_MET_AT_ONCE,
  readInjectorFrame,
  readSidecarFrame,
  type SidecarFrame,
} from './frames.ts';
export {
  PartDigests,
  type PartName,
  partNames,
  resolveOutline,
  type TableOutline,
} from './outline.ts';
export type { Unpack } from './packed.ts';
export {
  address,
  addressProblem,
  anyText,
  containerPort,
  labels,
  policyRef,
  selector,
  whole,
} from './parts.ts';
export { Comparisons, sameData } from './same_data.ts';
export { ServiceMap, type ServiceShard } from './service_map.ts';
export {
  type AddressGroup,
  type DirectionTable,
  directionOf,
  type IdentifiedPeer,
  type PeerIdentity,
  type PodIdentity,
  type PolicyRules,
  peer,
  peerIdentity,
  policyKey,
  portsOf,
  ruleFields,
  type Subject,
  subjectFields,
  subjectOptions,
  type Table,
  type TableGroups,
  type TablePeer,
  type TableRule,
  tagOf,
} from './table.ts';
export { changeText, fileRefused, readChangeFile, readTableFile, tableText } from './text.ts';
export { readVirtualKey, virtualKey, virtualKeyProblem } from './virtual_key.ts';
export { type Backend, type VirtualPort, virtualPort } from './virtual_port.ts';
export {
  FLOWS_LINE,
  flowsLine,
  flowsLineSum,
  MAX_FLOWS_LINE_BYTES,
  WIRE_PROTOCOLS,
  type WireVersion,
  wireVersion,
} from './wire.ts';
