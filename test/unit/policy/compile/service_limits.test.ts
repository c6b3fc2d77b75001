/** One Service has so many EndpointSlices and backends that count, in a defined order; its virtual ports are always there. */
import { expect, it } from 'vitest';
import {
  type Compiler,
  type CompilerOptions,
  createCompiler,
  EMPTY_CLUSTER,
  type EndpointSlice,
  type VirtualPort,
} from '../../../../policy/index.ts';

const LIMITS = { maxSlices: 3, maxEndpoints: 12, maxBackends: 5 };
const KEY = '10.96.0.1 TCP/80';

const PORT = { name: 'http', protocol: 'TCP' as const, port: 8_080 };
const DNS = { name: 'dns', protocol: 'TCP' as const, port: 53 };

/** A slice of a Service: its endpoints are numbered on from `first`. */
function slice(name: string, first: number, count: number, ports = [PORT]): EndpointSlice {
  const endpoints = Array.from({ length: count }, (_, i) => ({
    addresses: [`10.0.${(first + i) >> 8}.${(first + i) & 255}`],
    ready: true,
  }));
  return { namespace: 'shop', name, service: 'web', ports, endpoints };
}

function compiler(
  slices: readonly EndpointSlice[],
  options: CompilerOptions = { serviceLimits: LIMITS },
): Compiler {
  const made = createCompiler(EMPTY_CLUSTER, options);
  made.apply({
    kind: 'Pod',
    key: 'shop/api',
    object: {
      namespace: 'shop',
      name: 'api',
      uid: 'uid-api',
      labels: {},
      ips: ['10.9.0.1'],
      hostIPs: [],
      hostNetwork: false,
      phase: 'Running',
      ports: [],
      workload: 'pod/api',
    },
  });
  made.apply({
    kind: 'NetworkPolicy',
    key: 'shop/out',
    object: {
      namespace: 'shop',
      name: 'out',
      podSelector: { matchLabels: {}, matchExpressions: [] },
      policyTypes: ['egress'],
      ingress: [],
      egress: [],
    },
  });
  made.apply({
    kind: 'Service',
    key: 'shop/web',
    object: {
      namespace: 'shop',
      name: 'web',
      clusterIPs: ['10.96.0.1'],
      ports: [
        { ...PORT, port: 80, targetPort: 8_080 },
        { ...DNS, targetPort: 53 },
      ],
    },
  });
  for (const one of slices) put(made, one);
  made.commit();
  return made;
}

const put = (made: Compiler, one: EndpointSlice) =>
  made.apply({ kind: 'EndpointSlice', key: `shop/${one.name}`, object: one });

const portOf = (made: Compiler): VirtualPort | undefined => made.compile('shop/api', 1).services.get(KEY);

const backendsOf = (made: Compiler) => portOf(made)?.backends.map(({ address }) => address);

it('a Service within the bounds has all its backends, and nothing is said', () => {
  const made = compiler([slice('a', 0, 2), slice('b', 10, 2), slice('c', 20, 1)]);
  expect(backendsOf(made)).toEqual(['10.0.0.0', '10.0.0.1', '10.0.0.10', '10.0.0.11', '10.0.0.20']);
  expect(made.serviceExcess.size).toBe(0);
});

it('the first EndpointSlices by name count, whatever order they came in', () => {
  const slices = [slice('d', 0, 1), slice('b', 10, 1), slice('c', 20, 1), slice('a', 30, 1)];
  for (const order of [slices, slices.toReversed()]) {
    const made = compiler(order);
    expect(backendsOf(made)).toEqual(['10.0.0.10', '10.0.0.20', '10.0.0.30']);
    expect(made.serviceExcess.get('shop/web')).toContain('has 4 EndpointSlices, the first 3 by name count');
  }
});

it('a virtual port has so many backends, those of the first EndpointSlices', () => {
  const made = compiler([slice('b', 0, 4), slice('a', 10, 4)]);
  expect(backendsOf(made)).toEqual(['10.0.0.0', '10.0.0.10', '10.0.0.11', '10.0.0.12', '10.0.0.13']);
  expect(made.serviceExcess.get('shop/web')).toContain('has more than 5 backends at one port');
});

it('endpoints count once for each port, also those that are not ready', () => {
  const idle = slice('a', 0, 5, [PORT, DNS]);
  const made = compiler([
    { ...idle, endpoints: idle.endpoints.map((one) => ({ ...one, ready: false })) },
    slice('b', 10, 3, [PORT]),
  ]);
  expect(backendsOf(made)).toEqual(['10.0.0.10', '10.0.0.11']);
  expect(made.serviceExcess.get('shop/web')).toContain('has more than 12 endpoints');
});

it('a virtual port without any backend that counts is there: nothing judges its address as if nothing were behind it', () => {
  const made = compiler([slice('a', 0, 0), slice('b', 0, 0), slice('c', 0, 0), slice('d', 0, 3)]);
  expect(portOf(made)).toMatchObject({ name: 'web', backends: [] });
});

it('a Service that has less again is whole again', () => {
  const made = compiler([slice('a', 0, 4), slice('b', 10, 4)]);
  expect(made.serviceExcess.size).toBe(1);
  put(made, slice('b', 10, 1));
  made.commit();
  expect(made.serviceExcess.size).toBe(0);
  expect(backendsOf(made)).toHaveLength(5);
  put(made, slice('b', 10, 4));
  made.apply({ kind: 'Service', key: 'shop/web', object: undefined });
  made.commit();
  expect(made.serviceExcess.size).toBe(0);
});

it('however many slices change together, each endpoint is looked at once', () => {
  let looks = 0;
  const counted = (one: EndpointSlice): EndpointSlice => ({
    ...one,
    endpoints: one.endpoints.map(({ addresses, ready }) => ({
      ready,
      get addresses() {
        looks += 1;
        return addresses;
      },
    })),
  });
  const made = compiler([], {});
  for (let i = 0; i < 300; i += 1) put(made, counted(slice(`s${i}`, i * 10, 10)));
  made.commit();
  expect(backendsOf(made)).toHaveLength(3_000);
  expect(looks).toBeLessThanOrEqual(2 * 3_000);
});
