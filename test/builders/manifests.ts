/** Builders of manifests: only what matters to a test has to be said. */

/** A manifest as `kubectl` would take it. */
export type Manifest = Readonly<Record<string, unknown>>;

/** A pod to build. Node N has 10.0.0.N and fd00:10::N; a pod without `ips` cannot be in a lab. */
export interface PodSpec {
  readonly labels?: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
  /** Number of its node; default 1. */
  readonly node?: number;
  /** `80`, `UDP/53`, `http=TCP/8080`; default TCP/80 only. */
  readonly ports?: readonly (number | string)[];
  readonly hostNetwork?: boolean;
  readonly phase?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A Pod; `key` is `namespace/name`. */
export function pod(key: string, spec: PodSpec): Manifest {
  const [namespace, name] = key.split('/');
  const node = spec.node ?? 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: spec.labels ?? {}, annotations: spec.annotations ?? {} },
    spec: {
      nodeName: `node-${node}`,
      ...(spec.hostNetwork ? { hostNetwork: true } : {}),
      containers: [{ name: 'app', image: 'app', ports: (spec.ports ?? [80]).map(containerPort) }],
    },
    status: {
      phase: spec.phase ?? 'Running',
      hostIP: `10.0.0.${node}`,
      hostIPs: nodeAddresses(node).map((ip) => ({ ip })),
      ...(spec.ips[0] === undefined ? {} : { podIP: spec.ips[0] }),
      podIPs: spec.ips.map((ip) => ({ ip })),
    },
  };
}

/** A Namespace. */
export function namespace(
  name: string,
  labels: Readonly<Record<string, string>> = {},
  annotations?: Readonly<Record<string, string>>,
) {
  const metadata = { name, labels, ...(annotations && { annotations }) };
  return { apiVersion: 'v1', kind: 'Namespace', metadata };
}

/** The Node with this number. */
export function node(number: number): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${number}` },
    status: { addresses: nodeAddresses(number).map((address) => ({ type: 'InternalIP', address })) },
  };
}

/** What a Service of a test is; the rest is usual. */
export interface ServiceSpec {
  readonly ips: readonly string[];
  /** `80`, `UDP/53`, `80:8080`, `SCTP/80:8080`, `80:http`; default TCP/80. Several are named `p0`, `p1`, … */
  readonly ports?: readonly (number | string)[];
  /** The `app` label of the pods behind it; absent: no selector. */
  readonly app?: string;
  /** `spec` fields in addition. */
  readonly more?: Manifest;
}

/** A Service; `key` is `namespace/name`. */
export function service(key: string, spec: ServiceSpec): Manifest {
  const [namespace, name] = key.split('/');
  const { ips, ports = [80], app, more = {} } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: {
      clusterIP: ips[0],
      clusterIPs: ips,
      ports: ports.map((port, index) => servicePort(port, ports.length > 1 ? `p${index}` : undefined)),
      ...(app === undefined ? {} : { selector: { app } }),
      ...more,
    },
  };
}

/** An EndpointSlice of the Service `service`, with ready endpoints; `key` is `namespace/name`, ports are as in `service`. */
export function endpointSlice(
  key: string,
  service: string,
  addresses: readonly string[],
  ports: readonly (number | string)[] = [80],
): Manifest {
  const [namespace, name] = key.split('/');
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': service } },
    addressType: addresses[0]?.includes(':') ? 'IPv6' : 'IPv4',
    ports: ports.map((port, index) => {
      const { protocol, port: number } = servicePort(port, undefined);
      return { name: ports.length > 1 ? `p${index}` : '', protocol, port: number };
    }),
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

/** The Service of a cluster's name servers, for pods with the label `k8s-app: kube-dns`. */
export function kubeDns(): Manifest {
  return service('kube-system/kube-dns', {
    ips: ['10.96.0.10'],
    ports: ['UDP/53'],
    more: { selector: { 'k8s-app': 'kube-dns' } },
  });
}

/** A NetworkPolicy; `key` is `namespace/name`, `spec` as in the API. */
export function policy(key: string, spec: Manifest): Manifest {
  const [namespace, name] = key.split('/');
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { namespace, name }, spec };
}

/** The policy that lets pods with one of these `app` labels, of its own namespace, reach the pods with another. */
export function allowApps(key: string, to: string, from: readonly string[]): Manifest {
  const peers = from.map((app) => ({ podSelector: { matchLabels: { app } } }));
  return policy(key, {
    podSelector: { matchLabels: { app: to } },
    policyTypes: ['Ingress'],
    ingress: peers.length === 0 ? [] : [{ from: peers }],
  });
}

function nodeAddresses(number: number): readonly string[] {
  return [`10.0.0.${number}`, `fd00:10::${number}`];
}

function containerPort(port: number | string): Manifest {
  const [, name, protocol = 'TCP', number] =
    /^(?:(.+)=)?(?:(TCP|UDP|SCTP)\/)?(\d+)$/.exec(String(port)) ?? [];
  if (number === undefined) throw new Error(`${port} is no port of a test's pod`);
  return { containerPort: Number(number), protocol, ...(name === undefined ? {} : { name }) };
}

function servicePort(
  text: number | string,
  name: string | undefined,
): { name?: string; protocol: string; port: number; targetPort?: number | string } {
  const [, protocol = 'TCP', port, target] =
    /^(?:(TCP|UDP|SCTP)\/)?(\d+)(?::(.+))?$/.exec(String(text)) ?? [];
  if (port === undefined) throw new Error(`${text} is no port of a test's Service`);
  return {
    ...(name === undefined ? {} : { name }),
    protocol,
    port: Number(port),
    ...(target === undefined ? {} : { targetPort: /^\d+$/.test(target) ? Number(target) : target }),
  };
}
