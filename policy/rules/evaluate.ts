/** Evaluates whole flows straight from the objects of a cluster: egress at the source, ingress at the destination. */

import { canonicalAddress, familyOf, isLoopback, parseAddress } from '../addresses/index.ts';
import type { Cluster, Direction, Pod, Protocol } from '../model.ts';
import { type FlowVerdict, PASS, TIERS, type Tier, type Verdict } from '../verdict.ts';
import { NetworkPolicyTier } from './network_policy_tier.ts';
import { addressOwners, isLive, namespaceLabels, nodeAddresses, podKey } from './ownership.ts';
import type { Peer } from './peer.ts';
import type { EvaluatorTier } from './tier.ts';

/** One end of a flow. An address that a live pod owns is that pod. */
export type Endpoint =
  | { readonly kind: 'pod'; readonly pod: Pod }
  /** Any spelling of an address. */
  | { readonly kind: 'address'; readonly address: string };

/** A flow by its two ends. The port is the destination's, 0 to 65535, after any Service was resolved. */
export interface Flow {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly protocol: Protocol;
  readonly port: number;
  /** The port that was asked for, where a Service translates it: for near misses only. */
  readonly servicePort?: number;
}

/** Evaluates flows of one cluster, near misses included: what depends on the cluster only is worked out once. */
export interface Evaluator {
  /** Throws ADDRESS_INVALID when an endpoint's address is none. */
  evaluate(flow: Flow): FlowVerdict;
}

/** One end of a flow with the addresses it may use. `pod` may be on the host network, finished or without address. */
interface Party {
  readonly pod?: Pod;
  readonly addresses: readonly string[];
}

/** One end of a flow with the address it uses. */
interface Side {
  readonly pod?: Pod;
  readonly address?: string;
}

/** The cluster, with what depends on nothing else. */
interface Lookup {
  readonly cluster: Cluster;
  /** By address. */
  readonly owners: ReadonlyMap<string, Pod>;
  /** In the order in which they are asked. */
  readonly tiers: readonly EvaluatorTier[];
}

function partyOf(endpoint: Endpoint, { cluster, owners }: Lookup): Party {
  if (endpoint.kind === 'address') {
    const address = canonicalAddress(endpoint.address);
    const pod = owners.get(address);
    return pod === undefined ? { addresses: [address] } : { pod, addresses: [address] };
  }
  const { pod } = endpoint;
  // A host-network pod uses its node's addresses.
  if (pod.hostNetwork) return { pod, addresses: pod.ips.length > 0 ? pod.ips : nodeAddresses(cluster, pod) };
  // A finished pod has no address, and one whose address a newer pod took neither: selectors decide alone.
  if (!isLive(pod)) return { pod, addresses: [] };
  const key = podKey(pod);
  const owned = pod.ips.filter((ip) => {
    const owner = owners.get(ip);
    return owner === undefined || podKey(owner) === key;
  });
  return { pod, addresses: owned };
}

/** The addresses a flow uses: the first family both ends have, in the source's order of preference. */
function chooseSides(source: Party, destination: Party): { source: Side; destination: Side } {
  const side = (party: Party, address: string | undefined): Side => ({
    ...(party.pod === undefined ? {} : { pod: party.pod }),
    ...(address === undefined ? {} : { address }),
  });
  for (const address of source.addresses) {
    const match = destination.addresses.find((other) => familyOf(other) === familyOf(address));
    if (match !== undefined) return { source: side(source, address), destination: side(destination, match) };
  }
  return {
    source: side(source, source.addresses[0]),
    destination: side(destination, destination.addresses[0]),
  };
}

/** What a rule may know of one end. A host-network pod is its node: an address without a pod. */
function peerOf(side: Side, cluster: Cluster): Peer {
  const { pod, address } = side;
  const words = address === undefined ? undefined : parseAddress(address);
  return {
    ...(address === undefined ? {} : { address }),
    ...(words === undefined ? {} : { words }),
    ...(pod === undefined || pod.hostNetwork
      ? {}
      : {
          pod: {
            namespace: pod.namespace,
            labels: pod.labels,
            namespaceLabels: namespaceLabels(cluster, pod.namespace),
            ports: pod.ports,
          },
        }),
  };
}

function judgeSide(
  lookup: Lookup,
  direction: Direction,
  subjectSide: Side,
  peerSide: Side,
  { protocol, port, servicePort }: Flow,
): Verdict {
  const subject = subjectSide.pod;
  // Policy selects pods: at an external address, a node or a host-network pod nothing is judged.
  if (subject === undefined || subject.hostNetwork)
    return { verdict: 'allow', direction, reason: 'not-a-pod' };
  // A pod cannot be kept from itself, whether it uses its own address or localhost.
  const isSelf = peerSide.pod !== undefined && podKey(peerSide.pod) === podKey(subject);
  if (isSelf || (peerSide.address !== undefined && isLoopback(peerSide.address))) {
    return { verdict: 'allow', direction, reason: 'self' };
  }
  // Traffic between a pod and the node it runs on is always allowed, no matter what policies say.
  if (peerSide.address !== undefined && nodeAddresses(lookup.cluster, subject).includes(peerSide.address)) {
    return { verdict: 'allow', direction, reason: 'own-node' };
  }
  const flow = {
    direction,
    peer: peerOf(peerSide, lookup.cluster),
    protocol,
    port,
    ...(servicePort === undefined ? {} : { servicePort }),
  };
  // The first tier that does not pass decides; what all tiers pass on is allowed.
  for (const tier of lookup.tiers) {
    const answer = tier.evaluate(subject, flow);
    if (answer !== PASS) return answer;
  }
  return { verdict: 'allow', direction, reason: 'not-isolated' };
}

function tiersOf(cluster: Cluster): readonly EvaluatorTier[] {
  const tiers: Readonly<Record<Tier, EvaluatorTier>> = { NetworkPolicy: new NetworkPolicyTier(cluster) };
  return TIERS.map((tier) => tiers[tier]);
}

/**
 * Makes an evaluator of a cluster, which must not change afterwards. Between two pods the first address family that both
 * have is used (it matters for ipBlock only); a pod that owns no address is judged by selectors alone.
 */
export function createEvaluator(cluster: Cluster): Evaluator {
  const lookup: Lookup = { cluster, owners: addressOwners(cluster), tiers: tiersOf(cluster) };
  return {
    evaluate(flow) {
      const { source, destination } = chooseSides(
        partyOf(flow.source, lookup),
        partyOf(flow.destination, lookup),
      );
      const egress = judgeSide(lookup, 'egress', source, destination, flow);
      const ingress = judgeSide(lookup, 'ingress', destination, source, flow);
      // A flow passes only if the source's egress and the destination's ingress both allow it; replies need nothing.
      const allowed = egress.verdict === 'allow' && ingress.verdict === 'allow';
      return { verdict: allowed ? 'allow' : 'deny', egress, ingress };
    },
  };
}
