/** The clusters that the control plane's limits are measured with: namespaces of equal pods, their policies and Services. */
import {
  type ClusterChange,
  type NetworkPolicy,
  objectKey,
  type Pod,
  parseNetworkPolicy,
  type Service,
} from '../../../policy/index.ts';
import type { SidecarPod } from '../way.ts';

/** A cluster. Plain data: the injector's process makes the objects from it. */
export interface Shape {
  readonly namespaces: number;
  readonly podsPerNamespace: number;
  /** Of each namespace, at the start: the first lets its own pods in, the others are of one app each. */
  readonly policiesPerNamespace: number;
  /** All of the first namespace. */
  readonly services: number;
  readonly endpointsPerService: number;
  /** Groups with more pods are large; default: the injector's own. */
  readonly largeGroup?: number;
}

/** Nothing but pods; rows say what they need besides. */
export const PODS_ONLY = { policiesPerNamespace: 0, services: 0, endpointsPerService: 0 } as const;

/** Namespaces of one team, whose pods some policies let in. */
const TEAM_NAMESPACES = 5;

/** Pods of a namespace take turns. */
const APPS = ['web', 'api', 'db', 'jobs', 'cache', 'mail', 'auth', 'search', 'queue', 'files'];

/** Where pods are. */
export const NODE_ADDRESS = '192.168.0.1';

/** Places have this many bits in an address, generations the rest of 24. */
const PLACE_BITS = 17;

/** The first addresses of a network look special; no pod has one. */
const FIRST_PLACE = 256;

const HTTP_PORT = 8080;

/** The name of a namespace. */
export function namespaceOf(index: number): string {
  return `team-${Math.floor(index / TEAM_NAMESPACES)}-${index % TEAM_NAMESPACES}`;
}

/** A pod, by its namespace, its place in it, and how many had the place before. */
export function podOf(shape: Shape, namespace: number, place: number, generation = 0): Pod {
  const app = appOf(place);
  return {
    namespace: namespaceOf(namespace),
    name: `${app}-5d4f8c7b9d-${place}-${generation}`,
    uid: `6f1c1c1e-0000-4000-8000-${namespace}-${place}-${generation}`,
    labels: { app, 'app.kubernetes.io/version': '1.2.3', 'pod-template-hash': '5d4f8c7b9d' },
    ips: [addressOf(FIRST_PLACE + namespace * shape.podsPerNamespace + place, generation)],
    hostIPs: [NODE_ADDRESS],
    hostNetwork: false,
    phase: 'Running',
    ports: [{ name: 'http', port: HTTP_PORT, protocol: 'TCP' }],
    workload: `deploy/${app}`,
  };
}

/** The pods of a namespace that have sidecars: its first ones. @param numbered how many sidecars there are already */
export function sidecarPods(
  shape: Shape,
  namespace: number,
  count: number,
  numbered = 0,
): readonly SidecarPod[] {
  return Array.from({ length: count }, (_, place) => {
    const { namespace: of, name, uid } = podOf(shape, namespace, place);
    return { namespace: of, name, uid, number: numbered + place };
  });
}

function addressOf(place: number, generation: number): string {
  const bits = (generation << PLACE_BITS) | place;
  return `10.${(bits >> 16) & 255}.${(bits >> 8) & 255}.${bits & 255}`;
}

function appOf(place: number): string {
  return APPS[place % APPS.length] ?? '';
}

/** All that makes the cluster. */
export function* objectsOf(shape: Shape): Generator<ClusterChange> {
  for (let index = 0; index < shape.namespaces; index += 1) {
    const name = namespaceOf(index);
    const labels = { 'kubernetes.io/metadata.name': name, team: teamOf(index) };
    yield { kind: 'Namespace', key: name, object: { name, labels } };
    for (let policy = 0; policy < shape.policiesPerNamespace; policy += 1) {
      const object = parsed(policy === 0 ? ownPolicy(index) : appPolicy(index, policy));
      yield { kind: 'NetworkPolicy', key: objectKey(name, object.name), object };
    }
    for (let place = 0; place < shape.podsPerNamespace; place += 1) {
      const object = podOf(shape, index, place);
      yield { kind: 'Pod', key: objectKey(name, object.name), object };
    }
  }
  for (let index = 0; index < shape.services; index += 1) yield* serviceOf(shape, index);
}

function* serviceOf(shape: Shape, index: number): Generator<ClusterChange> {
  const namespace = namespaceOf(0);
  const name = `service-${index}`;
  const key = objectKey(namespace, name);
  const object: Service = {
    namespace,
    name,
    clusterIPs: [`172.20.${index >> 8}.${index & 255}`],
    ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 'http' }],
  };
  yield { kind: 'Service', key, object };
  const endpoints = Array.from({ length: shape.endpointsPerService }, (_, endpoint) => {
    const place = (index * shape.endpointsPerService + endpoint) % shape.podsPerNamespace;
    return { addresses: podOf(shape, 0, place).ips, ready: true };
  });
  const ports = [{ name: 'http', protocol: 'TCP', port: HTTP_PORT }] as const;
  yield {
    kind: 'EndpointSlice',
    key,
    object: { namespace, name, service: name, ports, endpoints },
  };
}

/** A policy as the API has it. */
export interface PolicyManifest {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: object;
}

function policyOf(namespace: number, name: string, spec: object): PolicyManifest {
  const metadata = { namespace: namespaceOf(namespace), name };
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
}

/** All pods of the namespace are let in by each other, and nobody else. */
export function ownPolicy(namespace: number): PolicyManifest {
  return policyOf(namespace, 'own', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] });
}

/** Every pod of the cluster is let in by all pods of the namespace. */
export function everyPodPolicy(namespace: number): PolicyManifest {
  return policyOf(namespace, 'every-pod', {
    podSelector: {},
    ingress: [{ from: [{ namespaceSelector: {} }] }],
  });
}

/** All pods of the namespace may only connect to each other. */
export function egressPolicy(namespace: number): PolicyManifest {
  return policyOf(namespace, 'egress', {
    podSelector: {},
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: {} }] }],
  });
}

/** One app of the namespace is reached by another one of the whole team. */
function appPolicy(namespace: number, index: number): PolicyManifest {
  const peer = {
    namespaceSelector: { matchLabels: { team: teamOf(namespace) } },
    podSelector: { matchLabels: { app: appOf(index + 1) } },
  };
  return policyOf(namespace, `app-${index}`, {
    podSelector: { matchLabels: { app: appOf(index) } },
    ingress: [{ from: [peer], ports: [{ port: 'http' }] }],
  });
}

function teamOf(namespace: number): string {
  return `${Math.floor(namespace / TEAM_NAMESPACES)}`;
}

function parsed(manifest: PolicyManifest): NetworkPolicy {
  const { object } = { object: undefined, ...parseNetworkPolicy(manifest) };
  if (object === undefined) throw new Error(`${manifest.metadata.name} is no policy`);
  return object;
}
