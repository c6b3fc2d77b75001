/** The cluster of the benchmarks: one node, one client, one pod for each path. */
import type { RawManifest } from '../../sources/index.ts';
import { type Path, podOf } from './path.ts';

const NODE = 'node-1';
const NODE_ADDRESS = '10.0.0.1';

/** The client's pod and its address. */
export const CLIENT = 'bench/client';
export const CLIENT_ADDRESS = '10.1.1.2';

/** Pods of paths have the addresses from here on. */
const FIRST_PATH = 10;

/** What all pods are on and in. */
const SURROUNDINGS: readonly RawManifest[] = [
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: NODE },
    status: { addresses: [{ type: 'InternalIP', address: NODE_ADDRESS }] },
  },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } },
];

/** The address of a path's pod. @param index of the path */
export function pathAddress(index: number): string {
  return `10.1.1.${FIRST_PATH + index}`;
}

/** Addresses in one policy: half of what a policy may have of rules, peers and the like. */
const PEERS_A_POLICY = 5000;

/** All objects. The policies of a path select its pod only; the last one admits the client, the others nobody, or its peers. */
export function manifests(paths: readonly Path[]): readonly RawManifest[] {
  return [
    ...SURROUNDINGS,
    pod(CLIENT, { app: 'client' }, CLIENT_ADDRESS),
    ...paths.map((path, index) =>
      pod(podOf(path), { path: path.name }, pathAddress(index), path.annotations),
    ),
    ...paths.flatMap((path) =>
      Array.from({ length: path.policies }, (_, index) =>
        index === path.policies - 1 ? admission(path, 'client') : otherPolicy(path, index),
      ),
    ),
    ...paths.flatMap(peerPolicies),
  ];
}

/** So many pods with one policy, which admits all of them to each other. */
export function crowdManifests(
  pods: number,
  annotations: Readonly<Record<string, string>>,
): readonly RawManifest[] {
  const crowd = { name: 'crowd' };
  return [
    ...SURROUNDINGS,
    ...Array.from({ length: pods }, (_, index) =>
      pod(crowdPod(index), { path: crowd.name, app: crowd.name }, pathAddress(index), annotations),
    ),
    admission(crowd, crowd.name),
  ];
}

/** The key of a pod of the crowd. */
export function crowdPod(index: number): string {
  return `bench/crowd-${index}`;
}

/** The policy that admits pods with this `app` label to a path's pod. */
export function admission(path: Pick<Path, 'name'>, app: string): RawManifest {
  return policy(path, 'last', [{ from: [{ podSelector: { matchLabels: { app } } }] }]);
}

/** Policies that admit the peers of a path: every other address, so that they are no ranges. */
function peerPolicies(path: Path): readonly RawManifest[] {
  const { peers = 0 } = path;
  return Array.from({ length: Math.ceil(peers / PEERS_A_POLICY) }, (_, index) => {
    const first = index * PEERS_A_POLICY;
    const count = Math.min(PEERS_A_POLICY, peers - first);
    const from = Array.from({ length: count }, (__, at) => ({ ipBlock: { cidr: peerCidr(first + at) } }));
    return policy(path, `peers-${index}`, [{ from }]);
  });
}

/** Each of up to 32,768 is alone in its block. */
function peerCidr(index: number): string {
  return `172.${30 + (index >> 15)}.${(index >> 7) & 0xff}.${(index & 0x7f) << 1}/32`;
}

/** A policy that admits 16 addresses, of which none is the client's. */
function otherPolicy(path: Path, index: number): RawManifest {
  const cidr = `172.${20 + (index >> 12)}.${(index >> 4) & 0xff}.${(index & 0xf) << 4}/28`;
  return policy(path, `p${index}`, [
    { from: [{ ipBlock: { cidr } }], ports: [{ protocol: 'TCP', port: 8080 }] },
  ]);
}

function policy(path: Pick<Path, 'name'>, name: string, ingress: readonly object[]): RawManifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'bench', name: `${path.name}-${name}` },
    spec: { podSelector: { matchLabels: { path: path.name } }, policyTypes: ['Ingress'], ingress },
  };
}

function pod(
  key: string,
  labels: Readonly<Record<string, string>>,
  address: string,
  annotations: Readonly<Record<string, string>> = {},
): RawManifest {
  const [namespace, name] = key.split('/');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels, annotations },
    spec: { nodeName: NODE, containers: [{ name: 'app', image: 'app' }] },
    status: { phase: 'Running', hostIP: NODE_ADDRESS, podIP: address, podIPs: [{ ip: address }] },
  };
}
