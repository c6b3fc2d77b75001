/**
 * Random clusters of which a lab can be made: those of `random_cluster.ts`, but that every pod runs at addresses of its own, with a
 * listener at every port that is tried, and with Services that translate ports.
 */

import fc from 'fast-check';
import {
  type ApiCluster,
  type ApiContainerPort,
  type ApiPod,
  type ApiPolicy,
  type ApiService,
  apiNamespace,
  apiNode,
  apiPod,
  apiService,
} from './api_objects.ts';
import type { Manifest } from './manifests.ts';
import { apiCluster, NAMESPACES, POD_IPS_V4, POD_IPS_V6, PORTS } from './random_cluster.ts';
import { tellingPolicies } from './telling_policies.ts';

/** A cluster, and the policies that it has one after the other. */
export interface RandomLab {
  /** All but policies: that stays. */
  readonly cluster: ApiCluster;
  readonly states: readonly (readonly ApiPolicy[])[];
}

/** Addresses by node, other than those of pods. */
const NODES = { n1: ['192.168.0.1', 'fc00::1'], n2: ['192.168.0.2', 'fc00::9'] } as const;
const NODE_NAMES = ['n1', 'n2'] as const;

/** Fewer say little, and each takes three seconds of a processor to start and to be asked about. */
const PODS = 4;

/** Cluster addresses of the two Services. */
const VIRTUAL = [
  ['10.96.0.1', 'fd00:96::1'],
  ['10.96.0.2', 'fd00:96::2'],
] as const;

/** The port of a pod that the first Service leads to by its name. */
const TARGET_NAME = 'http';

/** Numbers that become Services once the pods are known. */
interface ServiceSeed {
  readonly pod: number;
  readonly port: number;
  readonly target: number;
}

const serviceSeed: fc.Arbitrary<ServiceSeed> = fc.record({
  pod: fc.nat(1000),
  port: fc.nat(1000),
  target: fc.nat(1000),
});

/** @param count of states */
export function randomLab(count: number): fc.Arbitrary<RandomLab> {
  return fc
    .tuple(apiCluster, serviceSeed, serviceSeed)
    .filter(([{ pods = [] }]) => pods.length >= PODS && pods.slice(0, PODS).some(hasLabel))
    .map(([objects, named, numbered]) => clusterOf(objects, named, numbered))
    .chain((cluster) => tellingPolicies(cluster, count).map((states) => ({ cluster, states })));
}

function clusterOf(objects: ApiCluster, named: ServiceSeed, numbered: ServiceSeed): ApiCluster {
  const given = (objects.pods ?? []).slice(0, PODS);
  const labelled = given.filter(hasLabel);
  const host = pick(labelled, named.pod);
  const free = new Set([...POD_IPS_V4, ...POD_IPS_V6]);
  const pods = given.map((pod, at) => runningPod(pod, at, free));
  const labelsOf = new Map(
    (objects.namespaces ?? []).map(({ metadata }) => [metadata.name, metadata.labels]),
  );
  const target = pods[given.indexOf(host)]?.spec.containers[0]?.ports?.find(
    ({ name }) => name === TARGET_NAME,
  );
  return {
    namespaces: NAMESPACES.map((name) => apiNamespace(name, labelsOf.get(name))),
    nodes: NODE_NAMES.map((name) => apiNode(name, ...NODES[name])),
    pods,
    services: [
      serviceOf('named', host, VIRTUAL[0], named.port, target?.containerPort ?? 0, TARGET_NAME),
      serviceOf(
        'numbered',
        pick(labelled, numbered.pod),
        VIRTUAL[1],
        numbered.port,
        pick(PORTS, numbered.target),
      ),
    ],
  };
}

/** @param free addresses, of which those of this pod are taken out */
function runningPod({ metadata, spec, status }: ApiPod, at: number, free: Set<string>): ApiPod {
  const [v4, v6] = (status.podIPs ?? []).map(({ ip }) => ip);
  const claim = (wanted: string | undefined, pool: readonly string[]): readonly string[] => {
    const found = [wanted, ...pool].find((address) => address !== undefined && free.delete(address));
    return found === undefined ? [] : [found];
  };
  const node = NODE_NAMES.find((name) => name === spec.nodeName) ?? pick(NODE_NAMES, at);
  return apiPod(`${metadata.namespace}/${metadata.name}`, {
    ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    ips: [...claim(v4, POD_IPS_V4), ...(v6 === undefined ? [] : claim(v6, POD_IPS_V6))],
    ports: servedPorts(spec.containers[0]?.ports ?? []),
    phase: 'Running',
    nodeName: node,
    hostIP: NODES[node][0],
  });
}

/** Every port that is tried has a listener, so that policy alone decides. */
function servedPorts(declared: readonly ApiContainerPort[]): readonly ApiContainerPort[] {
  const found = new Map<string, ApiContainerPort>();
  const names = new Set<string>();
  for (const { name, containerPort, protocol = 'TCP' } of declared) {
    const key = `${protocol}/${containerPort}`;
    if (name === undefined || names.has(name) || found.has(key)) continue;
    names.add(name);
    found.set(key, { name, containerPort, protocol });
  }
  const ofName = [...found].find(([, { name }]) => name === TARGET_NAME);
  if (ofName?.[1].protocol !== 'TCP') {
    if (ofName !== undefined) found.delete(ofName[0]);
    const containerPort = PORTS.find((port) => !found.has(`TCP/${port}`)) ?? 0;
    found.set(`TCP/${containerPort}`, { name: TARGET_NAME, containerPort, protocol: 'TCP' });
  }
  for (const containerPort of PORTS) {
    const key = `TCP/${containerPort}`;
    if (!found.has(key)) found.set(key, { containerPort, protocol: 'TCP' });
  }
  return [...found.values()];
}

/** A Service for the pods that share the first label of one; its own port is another than that of this pod. */
function serviceOf(
  name: string,
  { metadata }: ApiPod,
  clusterIPs: readonly string[],
  port: number,
  targetNumber: number,
  targetName?: string,
): ApiService {
  const others = PORTS.filter((other) => other !== targetNumber);
  return apiService(
    `${metadata.namespace}/${name}`,
    clusterIPs,
    [{ port: pick(others, port), targetPort: targetName ?? targetNumber }],
    {
      clusterIP: clusterIPs[0] ?? '',
      selector: Object.fromEntries(Object.entries(metadata.labels ?? {}).slice(0, 1)),
    },
  );
}

function hasLabel({ metadata }: ApiPod): boolean {
  return Object.keys(metadata.labels ?? {}).length > 0;
}

function pick<T>(items: readonly T[], seed: number): T {
  const item = items[seed % items.length];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}

/** All but policies, as `kubectl` would take it. */
export function labManifests({ namespaces, nodes, pods, services }: ApiCluster): readonly Manifest[] {
  const of = (kind: string, objects: readonly object[] = []) =>
    objects.map((object): Manifest => ({ apiVersion: 'v1', kind, ...object }));
  return [
    ...of('Namespace', namespaces),
    ...of('Node', nodes),
    ...of('Pod', pods),
    ...of('Service', services),
  ];
}

/** The policies of one state, as `kubectl` would take them. */
export function policyManifests(policies: readonly ApiPolicy[]): readonly Manifest[] {
  return policies.map((policy): Manifest => ({ ...policy }));
}
