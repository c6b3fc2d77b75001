/**
 * The Kubernetes objects that network policy is about, trimmed to what a verdict needs and normalised:
 * defaults are filled in, addresses are canonical. The readers in `objects/` make them from API objects.
 * Source: `networking.k8s.io/v1` and core `v1` API types.
 */
import type { PROTOCOLS } from '../common/net.ts';

/** Labels of an object: key to value. */
export type Labels = Readonly<Record<string, string>>;

/** Layer 4 protocols of the NetworkPolicy API. */
export type Protocol = (typeof PROTOCOLS)[number];

/** Which half of a policy speaks: `ingress` at the destination pod, `egress` at the source pod. */
export type Direction = 'ingress' | 'egress';

/** One `matchExpressions` item. `values` is empty for `Exists` and `DoesNotExist`. */
export interface LabelSelectorRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** `metav1.LabelSelector`. Both parts are and-ed; both empty selects everything. */
export interface LabelSelector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly LabelSelectorRequirement[];
}

/** `IPBlock`: canonical CIDRs, host bits masked. */
export interface IPBlock {
  readonly cidr: string;
  readonly except: readonly string[];
}

/** `NetworkPolicyPeer`: either an address block, or pods by selector. */
export type NetworkPolicyPeer =
  | { readonly kind: 'ipBlock'; readonly ipBlock: IPBlock }
  | {
      readonly kind: 'pods';
      /** Absent: every pod of the namespaces. */
      readonly podSelector?: LabelSelector;
      /** Absent: the policy's own namespace. */
      readonly namespaceSelector?: LabelSelector;
    };

/** `NetworkPolicyPort`: `port` absent is every port of the protocol; a string is a named port. */
export interface NetworkPolicyPort {
  readonly protocol: Protocol;
  readonly port?: number | string;
  /** Inclusive; only with a numeric `port`. */
  readonly endPort?: number;
}

/** One ingress or egress rule. An empty list means "no restriction", as absent does in the API. */
export interface NetworkPolicyRule {
  /** Index in `spec.ingress` or `spec.egress`; absent where it is that in this list, of which faulty rules are left out. */
  readonly index?: number;
  readonly peers: readonly NetworkPolicyPeer[];
  readonly ports: readonly NetworkPolicyPort[];
}

/** `NetworkPolicy` with `policyTypes` defaulted. */
export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: LabelSelector;
  readonly policyTypes: readonly Direction[];
  readonly ingress: readonly NetworkPolicyRule[];
  readonly egress: readonly NetworkPolicyRule[];
}

/** A port a container declares. `name` is absent when the port has none. */
export interface ContainerPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** A pod. `ips` is empty until it has an address; `uid` falls back to `namespace/name` where a file has none. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  /** Canonical addresses, `status.podIPs` (or `status.podIP`); none once it has given them back. */
  readonly ips: readonly string[];
  /** Canonical addresses of its node, `status.hostIPs` (or `status.hostIP`). */
  readonly hostIPs: readonly string[];
  /** `spec.nodeName`, where known. */
  readonly nodeName?: string;
  readonly hostNetwork: boolean;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  /** Ports of all containers, native sidecars included. */
  readonly ports: readonly ContainerPort[];
  /** The owner that people know it by, such as `deploy/web`; the pod itself (`pod/x`) where it has none. */
  readonly workload: string;
  /** `metadata.creationTimestamp`, RFC 3339, where known. As the next two, it helps to say who owns an address that two claim. */
  readonly createdAt?: string;
  /** When it got its addresses as far as its status says, RFC 3339; see `readAddressedAt`. */
  readonly addressedAt?: string;
  /** `metadata.deletionTimestamp` is set: it is about to end. */
  readonly terminating?: true;
}

/** A namespace. `kubernetes.io/metadata.name` is always among the labels. */
export interface Namespace {
  readonly name: string;
  readonly labels: Labels;
  /** Those of Sluice, `sluice.dev/...`; absent where it has none. No verdict depends on them. */
  readonly annotations?: Labels;
}

/** A node: canonical addresses of `status.addresses`, host names left out. */
export interface Node {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** A port of a Service. It and a port of an EndpointSlice with the same name (or none) and protocol belong together. */
export interface ServicePort {
  readonly name?: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** What endpoints are made of, for those who make them: a number, or the name of a container port. */
  readonly targetPort: number | string;
  /** The port that each node has for it, of type NodePort or LoadBalancer. */
  readonly nodePort?: number;
}

/** A Service, as far as connections to its virtual addresses depend on it. */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Canonical virtual addresses, at most one of each family. None: headless, an external name, or not assigned yet. */
  readonly clusterIPs: readonly string[];
  /** Canonical addresses outside the cluster that lead to it too: `externalIPs`, and those of its load balancer. */
  readonly externalIPs?: readonly string[];
  /** `externalTrafficPolicy: Local`: a node sends what comes from outside to its own pods only, and keeps its source. */
  readonly localTraffic?: true;
  /** `clusterIP: None`: its name stands for the addresses of its backends. */
  readonly headless?: true;
  readonly ports: readonly ServicePort[];
  /** Labels of the pods behind it; absent: its EndpointSlices come from elsewhere. */
  readonly selector?: Labels;
  /** With `sessionAffinity: ClientIP`: how long a client keeps its backend, in seconds, 1 to 86400. */
  readonly affinitySeconds?: number;
}

/** A port of an EndpointSlice: what a Service's port of this name means at the slice's endpoints. */
export interface EndpointPort {
  readonly name?: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** One endpoint of a slice. */
export interface ServiceEndpoint {
  /** Canonical, all of one family; any of them leads to the endpoint. Empty where the slice holds names (FQDN). */
  readonly addresses: readonly string[];
  readonly ready: boolean;
}

/** An EndpointSlice. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** Name of its Service, of the same namespace: label `kubernetes.io/service-name`. Absent: it belongs to no Service. */
  readonly service?: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly ServiceEndpoint[];
}

/** The parts of a cluster, and the type of the objects in each. Which kind fills a part is said in `kinds.ts`. */
export interface ClusterObjects {
  readonly namespaces: Namespace;
  readonly pods: Pod;
  readonly policies: NetworkPolicy;
  readonly nodes: Node;
  readonly services: Service;
  readonly endpointSlices: EndpointSlice;
}

/**
 * Everything a verdict depends on, and what Services stand for. Pods, policies, Services and EndpointSlices are keyed
 * `namespace/name`, namespaces and nodes by name.
 * A namespace that only its pods mention counts as existing with its metadata.name label.
 */
export type Cluster = {
  readonly [Part in keyof ClusterObjects]: ReadonlyMap<string, ClusterObjects[Part]>;
};
