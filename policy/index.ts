/** The policy engine: everything other parts may use. Pure functions; no I/O, no clock, no logging. */

export {
  type AddressWords,
  canonicalAddress,
  formatAddress,
  isLoopback,
  parseAddress,
  socketAddress,
} from './addresses/address.ts';
export { type Cidr, parseCidr, type WrittenCidr } from './addresses/cidr.ts';
export { type ClusterChange, clusterChanges, EMPTY_CLUSTER } from './compile/cluster_change.ts';
export {
  type ClusterUpdate,
  type Compiler,
  type CompilerOptions,
  compile,
  createCompiler,
  policyExcess,
  type TableUpdate,
} from './compile/compile.ts';
export type { ChangeOrder } from './compile/directory.ts';
export { LiveCluster } from './compile/live_cluster.ts';
export { virtualPorts } from './compile/services.ts';
export type { TableChanges } from './compile/table_changes.ts';
export { describeFlow, describeNearMiss, describeReason, type FlowParties } from './describe.ts';
export { createJudge, type Judge } from './judge/judge.ts';
export { objectKey } from './key.ts';
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
export type { FieldError } from './objects/field.ts';
export { parseEndpointSlice, SERVICE_NAME_LABEL } from './objects/parse_endpoint_slice.ts';
export { DEFAULT_NAMESPACE } from './objects/parse_metadata.ts';
export { parseNamespace } from './objects/parse_namespace.ts';
export { parseNetworkPolicy } from './objects/parse_network_policy.ts';
export { parseNode } from './objects/parse_node.ts';
export { parsePod } from './objects/parse_pod.ts';
export { parseService } from './objects/parse_service.ts';
export type { Parsed } from './objects/parsed.ts';
export { DEFAULT_POLICY_LIMITS, type PolicyLimits } from './objects/policy_limits.ts';
export { dnsLabelProblems } from './objects/syntax.ts';
export { createEvaluator, type Endpoint, type Evaluator, evaluateFlow, type Flow } from './rules/evaluate.ts';
export {
  addressOwners,
  compareClaimants,
  isLive,
  isSubject,
  NAMESPACE_NAME_LABEL,
  nodeAddresses,
} from './rules/ownership.ts';
export type { TablePort } from './rules/ports.ts';
export {
  isolatingPolicies,
  policiesByNamespace,
  policyRef,
} from './rules/rules.ts';
export { requirementsOf } from './rules/selector.ts';
export { applyDelta } from './table/apply_delta.ts';
export { type AskedOfPeers, asFarAsAsked } from './table/asked_of_peers.ts';
export { DNS_SERVICES, dnsForgottenBy } from './table/dns.ts';
export { readTable } from './table/form.ts';
export {
  type InjectorFrame,
  readInjectorFrame,
  readSidecarFrame,
  type SidecarFrame,
} from './table/frames.ts';
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
  TableRule,
  VirtualPort,
} from './table/table.ts';
export { TABLE_SCHEMA } from './table/table.ts';
export { touchedPeers } from './table/touched_peers.ts';
export { virtualKey } from './table/virtual_key.ts';
export type { ExemptReason, FlowPort, FlowVerdict, NearMiss, PolicyRef, Verdict } from './verdict.ts';
