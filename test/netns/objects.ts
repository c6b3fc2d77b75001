/** Builders of the manifests that network tests use: only what matters to a test has to be said. */

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
}

/** A Pod; `key` is `namespace/name`. */
export function pod(key: string, spec: PodSpec): Manifest {
  const [namespace, name] = key.split('/');
  const node = spec.node ?? 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: spec.labels ?? {} },
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
export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
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
