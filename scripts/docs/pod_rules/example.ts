/** A small pod, and the texts of all the rules that its sidecar puts into the kernel. */
import { createCompiler } from '../../../policy/index.ts';
import { type GateSettings, wholeRuleset } from '../../../sidecar/gate/kernel/index.ts';
import { atOnce, GatePlanner } from '../../../sidecar/gate/plan/index.ts';
import { framesRuleset, type GuardPlan, guardRuleset } from '../../../sidecar/guard/index.ts';
import { type Chain, chains } from '../../../sidecar/redirect/index.ts';
import { readDocument, withEndpoints } from '../../../sources/index.ts';

/** The policy of the pod, as the page shows it. */
export const EXAMPLE_POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: front}}}]
      ports: [{port: 8080}]
  egress:
    - to: [{podSelector: {matchLabels: {app: db}}}]
      ports: [{port: 5432}]
    - to: [{ipBlock: {cidr: 203.0.113.0/24}}]
      ports: [{port: 443}]`;

const NODE_IP = '10.0.0.1';
const GATEWAY_IP = '10.1.1.1';
const GATEWAY_LINK = '02:42:0a:01:01:01';
const POD_IP = '10.1.1.10';
const POD_LINK = '02:42:0a:01:01:0a';
/** The interface of the pod. */
export const POD_INTERFACE = 'eth0';

const PODS: readonly (readonly [name: string, address: string])[] = [
  ['api', POD_IP],
  ['front', '10.1.1.11'],
  ['db', '10.1.2.12'],
];

const INJECTOR = { address: '10.96.0.20', port: 443 };
const PORTS = { inboundPort: 15_006, adminPort: 15_021, canaryPort: 15_020 };

const GATE: GateSettings = {
  deny: 'drop',
  otherProtocols: 'drop',
  adminPort: PORTS.adminPort,
  injector: INJECTOR,
};

const HOP = { address: GATEWAY_IP, device: POD_INTERFACE };
const BINDING = { kind: 'link', link: GATEWAY_LINK } as const;
const GUARD: GuardPlan = {
  uplinks: [POD_INTERFACE],
  links: [POD_INTERFACE],
  nodes: [
    { address: NODE_IP, from: 'settings', hop: HOP, binding: BINDING },
    { address: GATEWAY_IP, from: 'gateway', hop: HOP, binding: BINDING },
  ],
  routers: [],
};

/** The rules of the example, in the forms in which the sidecar hands them to the kernel. */
export interface ExampleRules {
  /** Commands of nft(8). */
  readonly gate: string;
  readonly guard: string;
  readonly frames: string;
  /** The chains that iptables-restore(8) makes. */
  readonly redirect: readonly Chain[];
}

/** The pod has one IPv4 address; rules of IPv6 are there all the same. */
export function exampleRules(): ExampleRules {
  const objects = manifests().flatMap((manifest, document) =>
    readDocument(manifest, 1).objects.map((object) => ({ ...object, file: 'example', document })),
  );
  const table = createCompiler(withEndpoints({ objects })).compile('shop/api', 1);
  const nodeIPs = [NODE_IP, GATEWAY_IP];
  const plan = { ...atOnce(new GatePlanner().plan(table)), nodeIPs };
  const injectors = [`${INJECTOR.address} . ${INJECTOR.port}`];
  return {
    gate: atOnce(wholeRuleset({ ...plan, injectors }, GATE)),
    guard: guardRuleset(GUARD),
    frames: framesRuleset(GUARD, { addresses: [POD_IP], links: [POD_LINK] }),
    redirect: chains(4, { ...PORTS, paths: { usual: 'proxy', others: [] }, nodeIPs, nodePorts: undefined }),
  };
}

function manifests(): readonly string[] {
  const pods = PODS.map(([name, ip]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name, labels: { app: name } },
    spec: { nodeName: 'node-1', containers: [{ name }] },
    status: { phase: 'Running', hostIP: NODE_IP, hostIPs: [{ ip: NODE_IP }], podIP: ip, podIPs: [{ ip }] },
  }));
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'db' },
    spec: {
      selector: { app: 'db' },
      clusterIP: '10.96.0.7',
      clusterIPs: ['10.96.0.7'],
      ports: [{ port: 5432 }],
    },
  };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  return [EXAMPLE_POLICY, ...[namespace, ...pods, service].map((one) => JSON.stringify(one))];
}
