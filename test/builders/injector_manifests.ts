/** Kubernetes manifests for tests, as plain objects, with only what a test says filled in. */

/** Any manifest. */
export type Manifest = Record<string, unknown>;

/** A running pod with an address. */
export function pod(
  name: string,
  ip: string,
  labels: Record<string, string> = {},
  more: Manifest = {},
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name, ...labels } },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 80, protocol: 'TCP' }] }],
      ...more,
    },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], hostIP: '192.168.0.1' },
  };
}

/** A namespace. */
export function namespace(name: string, labels: Record<string, string> = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** A policy for pods `app: SUBJECT` that lets pods `app: PEER` in, for each of `peers`. */
export function policy(
  name: string,
  subject: string,
  peers: readonly string[],
  more: Manifest = {},
): Manifest {
  const from = peers.map((peer) => ({ podSelector: { matchLabels: { app: peer } } }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: subject } },
      policyTypes: ['Ingress'],
      ingress: peers.length > 0 ? [{ from }] : [],
      ...more,
    },
  };
}

/** A Service of pods, `10.96.0.1 TCP/80` unless told otherwise. */
export function service(name: string, clusterIP = '10.96.0.1'): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80 }] },
  };
}

/** The EndpointSlice of a Service: port 8080 of these addresses. */
export function endpointSlice(name: string, addresses: readonly string[]): Manifest {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}
