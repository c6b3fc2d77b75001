/** Random clusters and flows. Pools are small on purpose, so that selectors match, addresses collide and blocks overlap. */

import fc from 'fast-check';
import type { ObviousFlow } from '../unit/policy/obvious.ts';
import type {
  ApiCluster,
  ApiEndpointSlice,
  ApiNamespace,
  ApiNode,
  ApiPeer,
  ApiPod,
  ApiPolicy,
  ApiPort,
  ApiRule,
  ApiSelector,
  ApiService,
} from './api_objects.ts';
import { apiEndpointSlice, apiNamespace, apiNode, apiPod, apiPolicy, apiService } from './api_objects.ts';

/** Of pods, policies and Services. */
export const NAMESPACES = ['a', 'b'];
/** `constructor` and `toString` are label keys like any other, but not to a careless look-up. */
const KEYS = ['app', 'tier', 'constructor', 'toString'];
const VALUES = ['', 'web', 'db'];
/** Addresses that pods have, of which blocks hold some and not others. */
export const POD_IPS_V4 = ['10.0.0.1', '10.0.0.2', '10.0.0.9', '10.0.1.1', '10.0.1.130', '10.1.0.1'];
/** The same of IPv6. */
export const POD_IPS_V6 = ['fd00::1', 'fd00::2', 'fd00:0:0:1::1', 'fd00::1:8000:0:0:1', 'fd01::1'];
const NODE_IPS = ['192.168.0.1', '192.168.0.2', 'fc00::1'];
/** Addresses outside, of which blocks hold some. */
export const EXTERNAL_IPS = ['203.0.113.7', '8.8.8.8', '255.255.255.255', '2001:db8::1'];
const BLOCKS_V4 = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.0.0.0/15',
  '10.0.0.0/30',
  '10.0.1.128/25',
  '10.0.0.2/32',
  '203.0.113.0/24',
];
const BLOCKS_V6 = ['::/0', 'fd00::/8', 'fd00::/48', 'fd00:0:0:1::/65', 'fd00::1/128', '2001:db8::/33'];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
/** At the ends of ranges that rules have, inside and beside them. */
export const PORTS = [79, 80, 81, 90, 443];
const PORT_NAMES = ['http', 'dns', 'nobody-has-it'];
const CLUSTER_IPS = ['10.96.0.1', '10.96.0.2', 'fd00:96::1', 'fd00:96::2'];
const TIMES = ['2024-01-01T00:00:00Z', '2024-01-02T00:00:00Z', '2024-01-02T00:00:01Z'];

const labels = fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), {
  maxKeys: 3,
  noNullPrototype: true,
});

const expression = fc.oneof(
  fc.record({
    key: fc.constantFrom(...KEYS),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key: fc.constantFrom(...KEYS), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);

const selector: fc.Arbitrary<ApiSelector> = fc.record(
  {
    matchLabels: fc.option(
      fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), {
        maxKeys: 1,
        noNullPrototype: true,
      }),
    ),
    matchExpressions: fc.array(expression, { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const namespaceSelector: fc.Arbitrary<ApiSelector> = fc.oneof(
  selector,
  fc.record({
    matchLabels: fc.constantFrom(...NAMESPACES).map((name) => ({ 'kubernetes.io/metadata.name': name })),
  }),
);

/** Blocks of a family that lie strictly inside another: written out, not computed, to share nothing with the engine. */
const INSIDE: Readonly<Record<string, readonly string[]>> = {
  '0.0.0.0/0': BLOCKS_V4.slice(1),
  '10.0.0.0/8': ['10.0.0.0/15', '10.0.0.0/30', '10.0.1.128/25', '10.0.0.2/32'],
  '10.0.0.0/15': ['10.0.0.0/30', '10.0.1.128/25', '10.0.0.2/32'],
  '10.0.0.0/30': ['10.0.0.2/32'],
  '::/0': BLOCKS_V6.slice(1),
  'fd00::/8': ['fd00::/48', 'fd00:0:0:1::/65', 'fd00::1/128'],
  'fd00::/48': ['fd00:0:0:1::/65', 'fd00::1/128'],
};

const ipBlock = fc.constantFrom(...BLOCKS_V4, ...BLOCKS_V6).chain((cidr) => {
  return fc.record({ cidr: fc.constant(cidr), except: fc.option(fc.subarray([...(INSIDE[cidr] ?? [])])) });
});

const peer: fc.Arbitrary<ApiPeer> = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector }),
  fc.record({ podSelector: selector, namespaceSelector }),
  fc.record({ podSelector: fc.constant(null), namespaceSelector }),
  fc.record({ ipBlock }),
);

const port: fc.Arbitrary<ApiPort> = fc.oneof(
  fc.record({ protocol: fc.constantFrom(...PROTOCOLS) }, { requiredKeys: [] }),
  fc.record(
    {
      protocol: fc.constantFrom(...PROTOCOLS),
      port: fc.constantFrom<string | number>(...PORTS, ...PORT_NAMES),
    },
    { requiredKeys: ['port'] },
  ),
  fc.record(
    {
      protocol: fc.constantFrom(...PROTOCOLS),
      port: fc.constantFrom(80, 81),
      endPort: fc.constantFrom(81, 90),
    },
    { requiredKeys: ['port', 'endPort'] },
  ),
);

const maybeList = <T>(item: fc.Arbitrary<T>) => fc.option(fc.array(item, { maxLength: 2 }));

const ingressRule: fc.Arbitrary<ApiRule> = fc.record(
  { ports: maybeList(port), from: maybeList(peer) },
  { requiredKeys: [] },
);

const egressRule: fc.Arbitrary<ApiRule> = fc.record(
  { ports: maybeList(port), to: maybeList(peer) },
  { requiredKeys: [] },
);

const policySpec: fc.Arbitrary<ApiPolicy['spec']> = fc.record(
  {
    podSelector: fc.oneof(fc.constantFrom(null, {}), selector),
    policyTypes: fc.option(fc.subarray(['Ingress', 'Egress'])),
    ingress: maybeList(ingressRule),
    egress: maybeList(egressRule),
  },
  { requiredKeys: [] },
);

const objectKeyText = (names: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...NAMESPACES), fc.constantFrom(...names))
    .map(([namespace, name]) => `${namespace}/${name}`);

const policy = fc
  .tuple(objectKeyText(['p1', 'p2', 'p3', 'p4']), policySpec)
  .map(([key, spec]): ApiPolicy => apiPolicy(key, spec));

const podOptions = fc.record(
  {
    labels,
    ips: fc
      .tuple(
        fc.subarray(POD_IPS_V4, { minLength: 1, maxLength: 1 }),
        fc.subarray(POD_IPS_V6, { maxLength: 1 }),
      )
      .map(([v4, v6]) => [...v4, ...v6]),
    ports: fc.array(
      fc.record(
        {
          name: fc.constantFrom('http', 'dns'),
          containerPort: fc.constantFrom(...PORTS),
          protocol: fc.constantFrom(...PROTOCOLS),
        },
        { requiredKeys: ['containerPort'] },
      ),
      { maxLength: 3 },
    ),
    phase: fc.constantFrom(...Array<string>(8).fill('Running'), 'Pending', 'Succeeded', 'Failed'),
    hostNetwork: fc.nat(9).map((n) => n === 0),
    nodeName: fc.constantFrom('n1', 'n2'),
    hostIP: fc.constantFrom(...NODE_IPS),
    createdAt: fc.constantFrom(...TIMES),
    startedAt: fc.constantFrom(...TIMES),
    networkSince: fc.constantFrom(...TIMES),
    deletedAt: fc.constantFrom(...TIMES),
  },
  { requiredKeys: ['ips', 'labels'] },
);

/** Some are another pod of the same name: they have another UID. */
const pod = fc
  .tuple(objectKeyText(['v', 'w', 'x', 'y', 'z']), podOptions, fc.nat(4))
  .map(([key, options, again]): ApiPod => {
    return apiPod(key, again === 0 ? { ...options, uid: `${key} again` } : options);
  });

const namespaces: fc.Arbitrary<ApiNamespace[]> = fc
  .tuple(fc.subarray(NAMESPACES), fc.array(labels, { minLength: 2, maxLength: 2 }))
  .map(([names, labelSets]) => names.map((name, i) => apiNamespace(name, labelSets[i])));

const nodes: fc.Arbitrary<ApiNode[]> = fc
  .subarray(['n1', 'n2'])
  .map((names) => names.map((name, i) => apiNode(name, NODE_IPS[i] ?? '', 'fc00::9')));

const SERVICE_NAMES = ['s1', 's2', 's3'];

const servicePort = fc.record(
  {
    name: fc.constantFrom('http', 'dns'),
    protocol: fc.constantFrom(...PROTOCOLS),
    port: fc.constantFrom(...PORTS),
  },
  { requiredKeys: ['name', 'port'] },
);

/** One port without a name, or some with different ones. */
const servicePorts = fc.oneof(
  fc.record({ port: fc.constantFrom(...PORTS) }).map((one) => [one]),
  fc.uniqueArray(servicePort, { minLength: 1, maxLength: 2, selector: ({ name }) => name }),
);

/** The two ports of a Service differ in number, as the API wants it. */
function differentPorts(service: ApiService): boolean {
  const numbers = (service.spec.ports ?? []).map(
    ({ protocol = 'TCP', port: number }) => `${protocol}/${number}`,
  );
  return new Set(numbers).size === numbers.length;
}

const service = fc
  .tuple(
    objectKeyText(SERVICE_NAMES),
    fc.constantFrom(['None'], ...CLUSTER_IPS.map((ip) => [ip]), ['10.96.0.1', 'fd00:96::1']),
    servicePorts,
    fc.boolean(),
  )
  .map(([key, clusterIPs, ports, sticky]): ApiService => {
    return apiService(key, clusterIPs, ports, sticky ? { sessionAffinity: 'ClientIP' } : {});
  })
  .filter(differentPorts);

const endpointSlice = fc.constantFrom(POD_IPS_V4, POD_IPS_V6).chain((pool) =>
  fc
    .tuple(
      objectKeyText(['e1', 'e2', 'e3', 'e4', 'e5']),
      fc.constantFrom(...SERVICE_NAMES),
      fc.array(fc.oneof(servicePort, fc.record({ port: fc.constantFrom(...PORTS) })), { maxLength: 2 }),
      fc.array(
        fc.record(
          {
            addresses: fc.subarray(pool, { minLength: 1, maxLength: 2 }),
            conditions: fc.record({ ready: fc.boolean() }, { requiredKeys: [] }),
          },
          { requiredKeys: ['addresses'] },
        ),
        { minLength: 1, maxLength: 3 },
      ),
    )
    .map(([key, owner, ports, endpoints]) => apiEndpointSlice(key, owner, ports, endpoints)),
);

function unique<T extends ApiPod | ApiPolicy | ApiService | ApiEndpointSlice>(
  item: fc.Arbitrary<T>,
  minLength: number,
  maxLength: number,
): fc.Arbitrary<T[]> {
  return fc.uniqueArray(item, {
    minLength,
    maxLength,
    selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
  });
}

/** The policies of a cluster. */
export const apiPolicies: fc.Arbitrary<ApiPolicy[]> = unique(policy, 1, 6);

/** A cluster. */
export const apiCluster: fc.Arbitrary<ApiCluster> = fc.record({
  namespaces,
  pods: unique(pod, 3, 9),
  policies: apiPolicies,
  nodes,
  services: unique(service, 0, 4),
  endpointSlices: unique(endpointSlice, 0, 6),
});

interface FlowSeed {
  readonly source: number;
  readonly destination: number;
  readonly protocol: string;
  readonly port: number;
}

/** Numbers that become a flow once the cluster is known. */
const flowSeed: fc.Arbitrary<FlowSeed> = fc.record({
  source: fc.nat(1000),
  destination: fc.nat(1000),
  protocol: fc.constantFrom('TCP', ...PROTOCOLS),
  port: fc.constantFrom(80, ...PORTS),
});

function flowOf(pods: readonly ApiPod[], { source, destination, protocol, port }: FlowSeed): ObviousFlow {
  const used = pods.flatMap(({ status }) => status.podIPs ?? []).map(({ ip }) => ip);
  const others = [...POD_IPS_V4, ...POD_IPS_V6, ...NODE_IPS, 'fc00::9', ...EXTERNAL_IPS];
  // Mostly addresses that pods have, so that policies get a say.
  const pool = [...used, ...used, ...used, ...others];
  const from = pool[source % pool.length] ?? '';
  const sameFamily = pool.filter((address) => address.includes(':') === from.includes(':'));
  return { source: from, destination: sameFamily[destination % sameFamily.length] ?? '', protocol, port };
}

/** A cluster, and flows between addresses of one family: mostly its pods', but also nodes' and external ones. */
export const scenario: fc.Arbitrary<{
  readonly objects: ApiCluster;
  readonly flows: readonly ObviousFlow[];
}> = fc
  .tuple(apiCluster, fc.array(flowSeed, { minLength: 20, maxLength: 40 }))
  .map(([objects, seeds]) => ({ objects, flows: seeds.map((seed) => flowOf(objects.pods ?? [], seed)) }));
