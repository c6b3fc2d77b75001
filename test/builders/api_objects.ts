/** Builders of API objects as people write them, and the cluster that the engine reads from them. */

import {
  type Cluster,
  type EndpointSlice,
  type Namespace,
  type NetworkPolicy,
  type Node,
  objectKey,
  type Parsed,
  type Pod,
  parseEndpointSlice,
  parseNamespace,
  parseNetworkPolicy,
  parseNode,
  parsePod,
  parseService,
  type Service,
} from '../../policy/index.ts';

/** `metav1.LabelSelector` as written. */
export interface ApiSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | null;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[] | null;
  }[];
}

/** `NetworkPolicyPeer` as written. */
export interface ApiPeer {
  readonly podSelector?: ApiSelector | null;
  readonly namespaceSelector?: ApiSelector | null;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] | null } | null;
}

/** `NetworkPolicyPort` as written. */
export interface ApiPort {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

/** An ingress or egress rule as written. */
export interface ApiRule {
  readonly ports?: readonly ApiPort[] | null;
  readonly from?: readonly ApiPeer[] | null;
  readonly to?: readonly ApiPeer[] | null;
}

/** `NetworkPolicy` as written. */
export interface ApiPolicy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly podSelector?: ApiSelector | null;
    readonly policyTypes?: readonly string[] | null;
    readonly ingress?: readonly ApiRule[] | null;
    readonly egress?: readonly ApiRule[] | null;
  };
}

/** A container port as written. */
export interface ApiContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

/** `Pod` as written. */
export interface ApiPod {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly containers: readonly { readonly name: string; readonly ports?: readonly ApiContainerPort[] }[];
  };
  readonly status: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly hostIP?: string;
    readonly startTime?: string;
    readonly conditions?: readonly Readonly<Record<string, string>>[];
  };
}

/** `Namespace` as written. */
export interface ApiNamespace {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** `Node` as written. */
export interface ApiNode {
  readonly metadata: { readonly name: string };
  readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] };
}

/** `ServicePort` as written. */
export interface ApiServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
}

/** `Service` as written. */
export interface ApiService {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ports?: readonly ApiServicePort[];
    readonly selector?: Readonly<Record<string, string>>;
    readonly sessionAffinity?: string;
    readonly sessionAffinityConfig?: { readonly clientIP: { readonly timeoutSeconds: number } };
  };
}

/** `EndpointSlice` as written. */
export interface ApiEndpointSlice {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly addressType: string;
  readonly ports: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[];
  readonly endpoints: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

/** The objects of a cluster as written. */
export interface ApiCluster {
  readonly namespaces?: readonly ApiNamespace[];
  readonly pods?: readonly ApiPod[];
  readonly policies?: readonly ApiPolicy[];
  readonly nodes?: readonly ApiNode[];
  readonly services?: readonly ApiService[];
  readonly endpointSlices?: readonly ApiEndpointSlice[];
}

/** What a test says about a pod; the rest is usual. */
export interface PodOptions {
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ips?: readonly string[];
  readonly ports?: readonly ApiContainerPort[];
  readonly phase?: string;
  readonly hostNetwork?: boolean;
  readonly nodeName?: string;
  readonly hostIP?: string;
  readonly createdAt?: string;
  /** `metadata.deletionTimestamp`. */
  readonly deletedAt?: string;
  /** `status.startTime`. */
  readonly startedAt?: string;
  /** `status.conditions`: since when its network is set up. */
  readonly networkSince?: string;
  /** The same condition, false: its network is gone, or not there yet. */
  readonly hasNoNetwork?: boolean;
}

function split(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

/** A pod by `namespace/name`. */
export function apiPod(key: string, options: PodOptions = {}): ApiPod {
  const { labels, ips, ports, phase, hostNetwork, nodeName, hostIP, createdAt } = options;
  const { deletedAt, startedAt, networkSince, hasNoNetwork, uid } = options;
  return {
    metadata: {
      ...split(key),
      ...(uid !== undefined && { uid }),
      ...(labels && { labels }),
      ...(createdAt !== undefined && { creationTimestamp: createdAt }),
      ...(deletedAt !== undefined && { deletionTimestamp: deletedAt }),
    },
    spec: {
      ...(nodeName !== undefined && { nodeName }),
      ...(hostNetwork !== undefined && { hostNetwork }),
      containers: [{ name: 'app', ...(ports && { ports }) }],
    },
    status: {
      ...(phase !== undefined && { phase }),
      ...(ips && { podIPs: ips.map((ip) => ({ ip })) }),
      ...(hostIP !== undefined && { hostIP }),
      ...(startedAt !== undefined && { startTime: startedAt }),
      ...(networkSince !== undefined && {
        conditions: [{ type: 'PodReadyToStartContainers', status: 'True', lastTransitionTime: networkSince }],
      }),
      ...(hasNoNetwork && { conditions: [{ type: 'PodReadyToStartContainers', status: 'False' }] }),
    },
  };
}

/** A policy by `namespace/name`. */
export function apiPolicy(key: string, spec: ApiPolicy['spec']): ApiPolicy {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: split(key), spec };
}

/** A namespace. */
export function apiNamespace(name: string, labels?: Readonly<Record<string, string>>): ApiNamespace {
  return { metadata: { name, ...(labels && { labels }) } };
}

/** A node with its addresses. */
export function apiNode(name: string, ...addresses: readonly string[]): ApiNode {
  return {
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}

/** A Service by `namespace/name`, with these virtual addresses. */
export function apiService(
  key: string,
  clusterIPs: readonly string[],
  ports: readonly ApiServicePort[],
  more: Partial<ApiService['spec']> = {},
): ApiService {
  return { metadata: split(key), spec: { clusterIPs, ports, ...more } };
}

/** An EndpointSlice by `namespace/name` of the Service `service`; its family is that of its addresses. */
export function apiEndpointSlice(
  key: string,
  service: string,
  ports: ApiEndpointSlice['ports'],
  endpoints: readonly (string | ApiEndpointSlice['endpoints'][number])[],
): ApiEndpointSlice {
  const all = endpoints.map((one) => (typeof one === 'string' ? { addresses: [one] } : one));
  return {
    metadata: { ...split(key), labels: { 'kubernetes.io/service-name': service } },
    addressType: all[0]?.addresses[0]?.includes(':') ? 'IPv6' : 'IPv4',
    ports,
    endpoints: all,
  };
}

/** The object that was read. Throws when it was refused. */
export function accepted<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.object;
  throw new Error(parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('; '));
}

function keyed<T extends Pod | NetworkPolicy | Service | EndpointSlice>(
  objects: readonly T[],
): Map<string, T> {
  return new Map(objects.map((object) => [objectKey(object.namespace, object.name), object]));
}

function named<T extends Namespace | Node>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map((object) => [object.name, object]));
}

/** The cluster that the engine reads from the objects. */
export function readCluster(objects: ApiCluster): Cluster {
  const {
    namespaces = [],
    pods = [],
    policies = [],
    nodes = [],
    services = [],
    endpointSlices = [],
  } = objects;
  return {
    namespaces: named(namespaces.map((value) => accepted(parseNamespace(value)))),
    pods: keyed(pods.map((value) => accepted(parsePod(value)))),
    policies: keyed(policies.map((value) => accepted(parseNetworkPolicy(value)))),
    nodes: named(nodes.map((value) => accepted(parseNode(value)))),
    services: keyed(services.map((value) => accepted(parseService(value)))),
    endpointSlices: keyed(endpointSlices.map((value) => accepted(parseEndpointSlice(value)))),
  };
}
