/** Services and EndpointSlices: how they are read, and what tables say of them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clusterChanges,
  createCompiler,
  type Parsed,
  parseEndpointSlice,
  parseService,
  readInjectorFrame,
  readTable,
  TABLE_SCHEMA,
  type Table,
  tableJson,
  type VirtualPort,
  virtualKey,
} from '../../../../policy/index.ts';
import {
  type ApiCluster,
  accepted,
  apiEndpointSlice,
  apiPod,
  apiPolicy,
  apiService,
  readCluster,
} from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { changedTable, changeOf } from '../table_updates.ts';

function errorsOf(parsed: Parsed<unknown>): string[] {
  return parsed.ok ? [] : parsed.errors.map(({ path, message }) => `${path}: ${message}`);
}

function service(spec: object): unknown {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'api', namespace: 'shop' }, spec };
}

const PORT = { port: 80 };

describe('a service', () => {
  it('has its virtual addresses and ports, with what is left out filled in', () => {
    const spec = {
      clusterIP: '10.96.0.10',
      clusterIPs: ['10.96.0.10', 'FD00:96::A'],
      selector: { app: 'api' },
      sessionAffinity: 'ClientIP',
      ports: [
        { name: 'http', port: 80, targetPort: 'web' },
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 5353 },
      ],
    };
    expect(accepted(parseService(service(spec)))).toEqual({
      namespace: 'shop',
      name: 'api',
      clusterIPs: ['10.96.0.10', 'fd00:96::a'],
      selector: { app: 'api' },
      affinitySeconds: 10_800,
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: 'web' },
        { name: 'dns', protocol: 'UDP', port: 53, targetPort: 5353 },
      ],
    });
  });

  it.each<[string, object]>([
    ['is headless', { clusterIP: 'None', clusterIPs: ['None'], ports: [PORT] }],
    ['is a name only', { type: 'ExternalName', externalName: 'example.com' }],
    ['has no address yet', { clusterIP: '', ports: [PORT] }],
  ])('has no virtual address when it %s', (_, spec) => {
    expect(accepted(parseService(service(spec))).clusterIPs).toEqual([]);
  });

  it.each<[object, string]>([
    [{ clusterIP: '10.96.0', ports: [PORT] }, 'spec.clusterIP: Invalid value: "10.96.0": must be a valid IP'],
    [{ clusterIPs: ['10.96.0.1', '10.96.0.2'], ports: [PORT] }, 'no more than one IP for each IP family'],
    [{ clusterIPs: ['10.96.0.1', 'None'], ports: [PORT] }, 'spec.clusterIPs: Invalid value'],
    [
      { clusterIP: '10.96.0.2', clusterIPs: ['10.96.0.1'], ports: [PORT] },
      'must match the value of `clusterIP`',
    ],
    [{ clusterIP: '10.96.0.1' }, 'spec.ports: Required value'],
    [{ clusterIP: '10.96.0.1', ports: [{}] }, 'spec.ports[0].port: Required value'],
    [{ clusterIP: '10.96.0.1', ports: [{ port: 0 }] }, 'spec.ports[0].port: Invalid value: 0'],
    [{ ports: [PORT, { port: 81, name: 'a' }] }, 'spec.ports[0].name: Required value'],
    [
      {
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'a' },
        ],
      },
      'spec.ports[1].name: Invalid value',
    ],
    [
      {
        ports: [
          { port: 80, name: 'a' },
          { port: 80, name: 'b' },
        ],
      },
      'spec.ports[1]: Invalid value',
    ],
    [{ ports: [{ port: 80, protocol: 'ICMP' }] }, 'spec.ports[0].protocol: Unsupported value: "ICMP"'],
    [{ ports: [{ port: 80, targetPort: 70_000 }] }, 'spec.ports[0].targetPort: Invalid value: 70000'],
    [{ ports: [PORT], sessionAffinity: 'Cookie' }, 'spec.sessionAffinity: Unsupported value: "Cookie"'],
    [
      {
        ports: [PORT],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } },
      },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0',
    ],
  ])('is refused with %j', (spec, message) => {
    expect(errorsOf(parseService(service(spec))).join('; ')).toContain(message);
  });
});

describe('an endpoint slice', () => {
  function slice(fields: object): unknown {
    const metadata = { name: 'api-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'api' } };
    return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...fields };
  }

  it('has its service, ports with a number, and endpoints, ready unless it says otherwise', () => {
    const fields = {
      addressType: 'IPv6',
      ports: [{ name: 'http', port: 8080 }, { name: '', port: 53, protocol: 'UDP' }, { name: 'any' }],
      endpoints: [
        { addresses: ['FD00::1'], conditions: { ready: true } },
        { addresses: ['fd00::2'], conditions: { ready: null } },
        { addresses: ['fd00::3'] },
        { addresses: ['fd00::4'], conditions: { ready: false } },
      ],
    };
    expect(accepted(parseEndpointSlice(slice(fields)))).toEqual({
      namespace: 'shop',
      name: 'api-1',
      service: 'api',
      ports: [
        { name: 'http', protocol: 'TCP', port: 8080 },
        { protocol: 'UDP', port: 53 },
      ],
      endpoints: [
        { addresses: ['fd00::1'], ready: true },
        { addresses: ['fd00::2'], ready: true },
        { addresses: ['fd00::3'], ready: true },
        { addresses: ['fd00::4'], ready: false },
      ],
    });
  });

  it('of names has no addresses, and without a label no service', () => {
    const fields = {
      metadata: { name: 'x' },
      addressType: 'FQDN',
      endpoints: [{ addresses: ['a.example'] }],
    };
    const read = accepted(parseEndpointSlice(slice(fields)));
    expect(read.endpoints).toEqual([{ addresses: [], ready: true }]);
    expect(read.service).toBeUndefined();
  });

  it.each<[object, string]>([
    [{}, 'addressType: Required value'],
    [{ addressType: 'IPv5' }, 'addressType: Unsupported value: "IPv5"'],
    [{ addressType: 'IPv4', endpoints: [{}] }, 'endpoints[0].addresses: Required value'],
    [
      { addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }] },
      'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address',
    ],
    [
      { addressType: 'IPv4', endpoints: [{ addresses: ['x'], conditions: { ready: 'yes' } }] },
      'endpoints[0].conditions.ready: Invalid value: "yes": must be true or false',
    ],
    [{ addressType: 'IPv4', ports: [{ port: 70_000 }] }, 'ports[0].port: Invalid value: 70000'],
  ])('is refused with %j', (fields, message) => {
    expect(errorsOf(parseEndpointSlice(slice(fields))).join('; ')).toContain(message);
  });
});

/** `shop/api` is isolated for egress, `shop/web` is not. */
function objects(more: ApiCluster = {}): ApiCluster {
  return {
    pods: [
      apiPod('shop/api', { labels: { app: 'api' }, ips: ['10.0.0.1'] }),
      apiPod('shop/web', { labels: { app: 'web' }, ips: ['10.0.0.2'] }),
    ],
    policies: [
      apiPolicy('shop/out', { podSelector: { matchLabels: { app: 'api' } }, policyTypes: ['Egress'] }),
      apiPolicy('shop/in', { policyTypes: ['Ingress'] }),
    ],
    services: [
      apiService('shop/web', ['10.96.0.1', 'fd00:96::1'], [{ name: 'http', port: 80 }], {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      }),
      apiService('kube-system/dns', ['10.96.0.10'], [{ port: 53, protocol: 'UDP' }]),
      apiService('shop/headless', ['None'], [PORT]),
    ],
    endpointSlices: [
      apiEndpointSlice(
        'shop/web-1',
        'web',
        [{ name: 'http', port: 8080 }],
        [
          '10.0.0.9',
          '10.0.0.10',
          { addresses: ['10.0.0.11'], conditions: { ready: false } },
          { addresses: ['10.0.0.12', '10.0.0.13'], conditions: { ready: true } },
        ],
      ),
      apiEndpointSlice('shop/web-2', 'web', [{ name: 'http', port: 8081 }], ['10.0.0.9', '10.0.0.9']),
      apiEndpointSlice('shop/web-6', 'web', [{ name: 'http', port: 8080 }], ['fd00::9']),
      apiEndpointSlice('shop/web-x', 'web', [{ name: 'https', port: 8443 }], ['10.0.0.14']),
      apiEndpointSlice('shop/web-u', 'web', [{ name: 'http', port: 80, protocol: 'UDP' }], ['10.0.0.15']),
      apiEndpointSlice('other/web-1', 'web', [{ name: 'http', port: 80 }], ['10.0.0.16']),
    ],
    ...more,
  };
}

function tableOf(cluster: ApiCluster, key = 'shop/api', revision = 1): Table {
  return createCompiler(readCluster(cluster)).compile(key, revision);
}

function servicesOf(table: Table): Readonly<Record<string, VirtualPort>> {
  return tableJson(table).services;
}

function changeTo(next: ApiCluster, key = 'shop/api') {
  return changeOf(readCluster(objects()), readCluster(next), key, { from: 1, revision: 2 });
}

const WEB = virtualKey('10.96.0.1', 'TCP', 80);

describe('the services of a table', () => {
  it('are the virtual ports with their ready backends, in order, ports by name and protocol', () => {
    const web = { namespace: 'shop', name: 'web', port: 'http', affinitySeconds: 60 };
    expect(servicesOf(tableOf(objects()))).toEqual({
      '10.96.0.1 TCP/80': {
        ...web,
        backends: [
          { address: '10.0.0.10', port: 8080 },
          { address: '10.0.0.12', port: 8080 },
          { address: '10.0.0.9', port: 8080 },
          { address: '10.0.0.9', port: 8081 },
        ],
      },
      '10.96.0.10 UDP/53': { namespace: 'kube-system', name: 'dns', backends: [] },
      'fd00:96::1 TCP/80': { ...web, backends: [{ address: 'fd00::9', port: 8080 }] },
    });
  });

  it('are none for a pod that egress policy does not isolate', () => {
    expect(tableOf(objects(), 'shop/web').services.size).toBe(0);
  });

  it('are one object for all isolated pods, and stay so while nothing changes', () => {
    const policies = [apiPolicy('shop/out', { policyTypes: ['Egress'] })];
    const first = createCompiler(readCluster(objects({ policies })));
    expect(first.compile('shop/api', 1).services).toBe(first.compile('shop/web', 1).services);
    const before = first.compile('shop/api', 1).services;
    for (const change of clusterChanges(first.cluster, readCluster(objects({ policies }))))
      first.apply(change);
    expect(first.compile('shop/api', 2).services).toBe(before);
  });

  it('change by the entries that changed, and go with the isolation', () => {
    const { endpointSlices = [] } = objects();
    const fewer = { endpointSlices: endpointSlices.filter(({ metadata }) => metadata.name !== 'web-6') };
    expect(changeTo(objects(fewer))).toEqual({
      schema: TABLE_SCHEMA,
      from: 1,
      revision: 2,
      services: { 'fd00:96::1 TCP/80': expect.objectContaining({ backends: [] }) },
    });
    const open = changeTo(objects({ policies: [] }));
    expect(Object.values(open?.services ?? {})).toEqual([null, null, null]);
    if (open !== undefined) expect(changedTable(tableOf(objects()), open).table.services.size).toBe(0);
  });

  it('do not change a pod that egress policy does not isolate', () => {
    expect(changeTo(objects({ services: [] }), 'shop/web')).toBeUndefined();
  });

  it('give an address that two Services claim to the first of them', () => {
    const services = ['shop/b', 'shop/a'].map((key) => apiService(key, ['10.96.0.1'], [PORT]));
    expect(tableOf(objects({ services })).services.get(WEB)?.name).toBe('a');
  });

  it.each<[string, unknown, string]>([
    ['10.96.0.1', {}, '.services["10.96.0.1"] is not a virtual port such as 10.96.0.10 TCP/80'],
    ['10.96.0.1 TCP/080', {}, 'is not a virtual port'],
    ['10.96.0.1 TCP/70000', {}, 'is not a virtual port'],
    ['FD00::1 TCP/80', {}, 'is not a canonical address: "FD00::1"'],
    [WEB, null, 'must be an object, is null'],
    [WEB, { namespace: 'a', name: 'b' }, '.backends is missing'],
    [
      WEB,
      { namespace: 'a', name: 'b', backends: [{ address: 'x', port: 1 }] },
      '.backends[0].address is not',
    ],
  ])('are refused with %s: %j', (key, value, message) => {
    const table = { ...tableJson(tableOf(objects())), services: { [key]: value } };
    expect(() => readTable(table)).toThrowError(
      expect.objectContaining({ code: 'TABLE_MALFORMED', message: expect.stringContaining(message) }),
    );
    if (value === null) return;
    const change = { schema: TABLE_SCHEMA, from: 1, revision: 2, services: { [key]: value } };
    expect(() => readInjectorFrame({ type: 'change', change })).toThrowError(message);
  });
});

/** What a table must say of Services, read off the objects in the slowest way. */
function obviousServices({ services = [], endpointSlices = [] }: ApiCluster): Record<string, VirtualPort> {
  const found: Record<string, VirtualPort> = {};
  const byName = [...services].sort((a, b) =>
    `${a.metadata.namespace}/${a.metadata.name}` < `${b.metadata.namespace}/${b.metadata.name}` ? -1 : 1,
  );
  for (const { metadata, spec } of byName) {
    for (const ip of spec.clusterIPs ?? []) {
      for (const { name, protocol = 'TCP', port } of spec.ports ?? []) {
        const key = `${ip} ${protocol}/${port}`;
        if (ip === 'None' || found[key] !== undefined) continue;
        const backends = endpointSlices
          .filter((slice) => slice.metadata.namespace === metadata.namespace)
          .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name)
          .filter((slice) => (slice.addressType === 'IPv6') === ip.includes(':'))
          .flatMap((slice) =>
            slice.ports
              .filter((target) => target.name === name && (target.protocol ?? 'TCP') === protocol)
              .flatMap((target) =>
                slice.endpoints
                  .filter(({ conditions }) => conditions?.ready !== false)
                  .map(({ addresses }) => `${addresses[0]} ${target.port}`),
              ),
          );
        found[key] = {
          ...metadata,
          ...(name === undefined ? {} : { port: name }),
          ...(spec.sessionAffinity === 'ClientIP' ? { affinitySeconds: 10_800 } : {}),
          backends: [...new Set(backends)].map((text) => {
            const [address = '', number] = text.split(' ');
            return { address, port: Number(number) };
          }),
        };
      }
    }
  }
  return found;
}

it('says of any cluster’s Services what reading its objects says', () => {
  fc.assert(
    fc.property(apiCluster, (cluster) => {
      const isolated = apiPolicy('a/all', { podSelector: {}, policyTypes: ['Egress'] });
      const pods = [apiPod('a/asking', { ips: ['10.9.9.9'] })];
      const services = servicesOf(tableOf({ ...cluster, pods, policies: [isolated] }, 'a/asking'));
      const sorted = Object.values(services).map(({ backends }) => backends);
      for (const backends of sorted) {
        const texts = backends.map(({ address, port }) => `${address} ${String(port).padStart(5, '0')}`);
        expect(texts).toEqual([...texts].sort());
      }
      const order = (ports: Record<string, VirtualPort>) =>
        Object.fromEntries(
          Object.entries(ports).map(([key, { backends, ...rest }]) => [
            key,
            { ...rest, backends: backends.map(({ address, port }) => `${address} ${port}`).sort() },
          ]),
        );
      expect(order(services)).toEqual(order(obviousServices(cluster)));
    }),
    { numRuns: 500 },
  );
});
