/** The policy engine: everything other parts may use. Pure functions; no I/O, no clock, no logging. */

export {
  type AddressWords,
  canonicalAddress,
  formatAddress,
  isLoopback,
  parseAddress,
  socketAddress,
} from './address.ts';
export { applyDelta } from './apply_delta.ts';
export { type AskedOfPeers, asFarAsAsked } from './asked_of_peers.ts';
export { type Cidr, parseCidr, type WrittenCidr } from './cidr.ts';
export { type ClusterChange, clusterChanges, EMPTY_CLUSTER } from './cluster_change.ts';
export {
  type ClusterUpdate,
  type Compiler,
  type CompilerOptions,
  compile,
  createCompiler,
  policyExcess,
  type TableUpdate,
} from './compile.ts';
export { describeFlow, describeNearMiss, describeReason, type FlowParties } from './describe.ts';
export type { ChangeOrder } from './directory.ts';
export { DNS_SERVICES, dnsForgottenBy } from './dns.ts';
export { createEvaluator, type Endpoint, type Evaluator, evaluateFlow, type Flow } from './evaluate.ts';
export type { FieldError } from './field.ts';
export { type InjectorFrame, readInjectorFrame, readSidecarFrame, type SidecarFrame } from './frames.ts';
export { createJudge, type Judge } from './judge.ts';
export { objectKey } from './key.ts';
export { LiveCluster } from './live_cluster.ts';
export type {
  Cluster,
  ContainerPort,
  Direction,
  EndpointPort,
  EndpointSlice,
  IPBlock,
  LabelSelector,
  LabelSelectorRequirement,
  Labels,
  Namespace,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicyRule,
  Node,
  Pod,
  Protocol,
  Service,
  ServiceEndpoint,
  ServicePort,
} from './model.ts';
export {
  addressOwners,
  compareClaimants,
  isLive,
  isSubject,
  NAMESPACE_NAME_LABEL,
  nodeAddresses,
} from './ownership.ts';
export { parseEndpointSlice, SERVICE_NAME_LABEL } from './parse_endpoint_slice.ts';
export { DEFAULT_NAMESPACE } from './parse_metadata.ts';
export { parseNamespace } from './parse_namespace.ts';
export { parseNetworkPolicy } from './parse_network_policy.ts';
export { parseNode } from './parse_node.ts';
export { parsePod } from './parse_pod.ts';
export { parseService } from './parse_service.ts';
export type { Parsed } from './parsed.ts';
export { DEFAULT_POLICY_LIMITS, type PolicyLimits } from './policy_limits.ts';
export {
  isolatingPolicies,
  policiesByNamespace,
  policyRef,
} from './rules.ts';
export { requirementsOf } from './selector.ts';
export { virtualKey, virtualPorts } from './services.ts';
export { dnsLabelProblems } from './syntax.ts';
export type {
  AddressGroup,
  Backend,
  DirectionTable,
  GroupDelta,
  PeerIdentity,
  PodIdentity,
  Subject,
  Table,
  TableDelta,
  TablePeer,
  TablePort,
  TableRule,
  VirtualPort,
} from './table.ts';
export { TABLE_SCHEMA } from './table.ts';
export type { TableChanges } from './table_changes.ts';
export { readTable } from './table_form.ts';
export { touchedPeers } from './touched_peers.ts';
export type { ExemptReason, FlowPort, FlowVerdict, NearMiss, PolicyRef, Verdict } from './verdict.ts';
