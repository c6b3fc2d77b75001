/**
 * A slow, obvious evaluator of NetworkPolicy, written from the API's text to check the engine against. It reads API
 * objects as written and shares no code with the engine; blocks are matched by Node's own BlockList.
 */

import { BlockList, isIPv6 } from 'node:net';
import type {
  ApiCluster,
  ApiPeer,
  ApiPod,
  ApiPolicy,
  ApiPort,
  ApiRule,
  ApiSelector,
} from '../../builders/api_objects.ts';

/** A flow by addresses. */
export interface ObviousFlow {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port: number;
}

type Direction = 'ingress' | 'egress';

function keyOf(pod: ApiPod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

function ownsAddresses(pod: ApiPod): boolean {
  return pod.status.phase !== 'Succeeded' && pod.status.phase !== 'Failed' && pod.spec.hostNetwork !== true;
}

/**
 * The live pod that has the address; of several one that is not being deleted, then the one that got its network last, and
 * of equally late ones the last by name.
 */
export function obviousOwner(cluster: ApiCluster, address: string): ApiPod | undefined {
  const since = ({ metadata, status }: ApiPod) =>
    status.conditions?.[0]?.lastTransitionTime ?? status.startTime ?? metadata.creationTimestamp ?? '0000';
  const stays = ({ metadata }: ApiPod) => (metadata.deletionTimestamp === undefined ? 1 : 0);
  const claims = (cluster.pods ?? [])
    .filter((pod) => ownsAddresses(pod) && pod.status.podIPs?.some(({ ip }) => ip === address))
    .map((pod) => ({ pod, rank: `${stays(pod)} ${since(pod)} ${keyOf(pod)}` }));
  claims.sort((a, b) => (a.rank < b.rank ? 1 : -1));
  return claims[0]?.pod;
}

function labelsOfNamespace(cluster: ApiCluster, name: string): Record<string, string> {
  const object = cluster.namespaces?.find((namespace) => namespace.metadata.name === name);
  return { ...object?.metadata.labels, 'kubernetes.io/metadata.name': name };
}

function selects(selector: ApiSelector, labels: Readonly<Record<string, string>>): boolean {
  const values = new Map(Object.entries(labels));
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (values.get(key) !== value) return false;
  }
  for (const { key, operator, values: wanted } of selector.matchExpressions ?? []) {
    const value = values.get(key);
    const listed = value !== undefined && (wanted ?? []).includes(value);
    if (operator === 'In' && !listed) return false;
    if (operator === 'NotIn' && listed) return false;
    if (operator === 'Exists' && value === undefined) return false;
    if (operator === 'DoesNotExist' && value !== undefined) return false;
  }
  return true;
}

function inBlock(address: string, cidr: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/');
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  if (isIPv6(address) !== isIPv6(network)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(address, family);
}

function peerAdmits(
  cluster: ApiCluster,
  policy: ApiPolicy,
  peer: ApiPeer,
  pod: ApiPod | undefined,
  address: string,
): boolean {
  if (peer.ipBlock) {
    const { cidr, except } = peer.ipBlock;
    return inBlock(address, cidr) && !(except ?? []).some((one) => inBlock(address, one));
  }
  if (pod === undefined) return false;
  const { namespace, labels } = pod.metadata;
  const namespaceOk = peer.namespaceSelector
    ? selects(peer.namespaceSelector, labelsOfNamespace(cluster, namespace))
    : namespace === policy.metadata.namespace;
  return namespaceOk && selects(peer.podSelector ?? {}, labels ?? {});
}

/** `receiver` is the pod that the flow goes to, if it is one: named ports are its. */
function portAdmits(port: ApiPort, receiver: ApiPod | undefined, flow: ObviousFlow): boolean {
  const protocol = port.protocol ?? 'TCP';
  if (protocol !== flow.protocol) return false;
  if (port.port === undefined) return true;
  if (typeof port.port === 'number') {
    return port.port <= flow.port && flow.port <= (port.endPort ?? port.port);
  }
  const declared = receiver?.spec.containers.flatMap((container) => container.ports ?? []) ?? [];
  return declared.some(
    (one) =>
      one.name === port.port && one.containerPort === flow.port && (one.protocol ?? 'TCP') === protocol,
  );
}

/** Whether one rule of a policy admits the flow, judged at `subject`. */
export function obviousRuleAdmits(
  cluster: ApiCluster,
  policy: ApiPolicy,
  rule: ApiRule,
  direction: Direction,
  flow: ObviousFlow,
): boolean {
  const peerAddress = direction === 'ingress' ? flow.source : flow.destination;
  const peerPod = obviousOwner(cluster, peerAddress);
  const receiver = obviousOwner(cluster, flow.destination);
  const peers = (direction === 'ingress' ? rule.from : rule.to) ?? [];
  const ports = rule.ports ?? [];
  return (
    (peers.length === 0 || peers.some((peer) => peerAdmits(cluster, policy, peer, peerPod, peerAddress))) &&
    (ports.length === 0 || ports.some((port) => portAdmits(port, receiver, flow)))
  );
}

/** The policies that isolate a pod in a direction. */
export function obviousIsolating(cluster: ApiCluster, pod: ApiPod, direction: Direction): ApiPolicy[] {
  return (cluster.policies ?? []).filter((policy) => {
    const { podSelector, policyTypes, egress } = policy.spec;
    const implied = (egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    const types = policyTypes && policyTypes.length > 0 ? policyTypes : implied;
    return (
      policy.metadata.namespace === pod.metadata.namespace &&
      types.includes(direction === 'ingress' ? 'Ingress' : 'Egress') &&
      selects(podSelector ?? {}, pod.metadata.labels ?? {})
    );
  });
}

function sideAllows(cluster: ApiCluster, direction: Direction, flow: ObviousFlow): boolean {
  const [subjectAddress, peerAddress] =
    direction === 'ingress' ? [flow.destination, flow.source] : [flow.source, flow.destination];
  const subject = obviousOwner(cluster, subjectAddress);
  if (subject === undefined) return true;
  const peer = obviousOwner(cluster, peerAddress);
  if (peer !== undefined && keyOf(peer) === keyOf(subject)) return true;
  const node = cluster.nodes?.find((one) => one.metadata.name === subject.spec.nodeName);
  const nodeAddresses = [
    subject.status.hostIP,
    ...(node?.status.addresses ?? []).map(({ address }) => address),
  ];
  if (nodeAddresses.includes(peerAddress)) return true;
  const isolating = obviousIsolating(cluster, subject, direction);
  if (isolating.length === 0) return true;
  return isolating.some((policy) =>
    (policy.spec[direction] ?? []).some((rule) => obviousRuleAdmits(cluster, policy, rule, direction, flow)),
  );
}

/** Whether a flow passes each half. */
export function obviousVerdict(
  cluster: ApiCluster,
  flow: ObviousFlow,
): { egress: boolean; ingress: boolean } {
  return { egress: sideAllows(cluster, 'egress', flow), ingress: sideAllows(cluster, 'ingress', flow) };
}
