/** Whom the injector is asked about because the gate keeps them out: peers, and the backends of Services. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ServiceMap, type Table, type VirtualPort } from '../../../../policy/index.ts';
import { nameServersOf } from '../../../../sidecar/assembly/name_servers.ts';
import { Newcomers } from '../../../../sidecar/assembly/newcomers.ts';
import { Enforcement, LiveTable, MembershipQueries } from '../../../../sidecar/table/index.ts';
import { admittingGroup, partialGroupOf, table } from '../../../builders/tables.ts';

let noticed: string[];
let asked: string[];
let answered: Set<string>;
let enforcement: Enforcement;
let newcomers: Newcomers;

afterEach(() => {
  vi.useRealTimers();
});

beforeEach(() => {
  [noticed, asked, answered] = [[], [], new Set()];
  enforcement = new Enforcement(new LiveTable());
  const membership = {
    notice: (addresses: Iterable<string>) => void noticed.push(...addresses),
    ahead: (addresses: Iterable<string>) => noticed.push(...addresses) >= 0,
    ask: (addresses: Iterable<string>) => {
      asked.push(...addresses);
      return Promise.resolve();
    },
    hasAnswer: (address: string) => answered.has(address),
  };
  newcomers = new Newcomers('egress', {
    enforcement,
    membership,
    nameServers: ['10.96.0.10'],
    unreadable: () => undefined,
  });
});

const virtualPort = (...backends: readonly string[]): VirtualPort => ({
  namespace: 'shop',
  name: 'db',
  backends: backends.map((address) => ({ address, port: 5_432 })),
});

const many = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

const withServices = (
  services: Readonly<Record<string, VirtualPort>>,
  members: Readonly<Record<string, string>> = {},
): Table => ({
  ...admittingGroup(table({ revision: 1 }), ['egress'], partialGroupOf(members)),
  services: ServiceMap.from(Object.entries(services)),
});

const peer = (address: string, port: number) => ({ address, protocol: 'TCP', port, packets: 1 }) as const;

test('peers are asked about that are no members yet; for a virtual address, its backends', () => {
  enforcement.replace(
    withServices(
      { '10.96.0.20 TCP/5432': virtualPort('10.0.0.1', '10.0.0.2', '10.0.0.3') },
      { '10.0.0.2': 'two' },
    ),
  );
  newcomers.unmet(['10.0.0.2', '10.0.0.9', '10.96.0.20']);
  expect(noticed).toEqual(['10.0.0.9', '10.0.0.1', '10.0.0.3']);
});

test('virtual addresses follow the table', () => {
  const first = withServices({ '10.96.0.20 TCP/5432': virtualPort('10.0.0.1') });
  enforcement.replace(first);
  newcomers.unmet(['10.96.0.20']);
  const services = first.services.with([
    ['10.96.0.20 TCP/5432', undefined],
    ['10.96.0.21 TCP/5432', virtualPort('10.0.0.2')],
  ]);
  enforcement.replace({ ...first, services });
  newcomers.unmet(['10.96.0.20', '10.96.0.21']);
  expect(noticed).toEqual(['10.0.0.1', '10.96.0.20', '10.0.0.2']);
});

test('name servers, and the other backends of a Service that is partly allowed, are asked about once', () => {
  const services = {
    '10.96.0.10 UDP/53': virtualPort('10.0.0.5'),
    '10.96.0.20 TCP/5432': virtualPort('10.0.0.1', '10.0.0.2'),
    '10.96.0.30 TCP/80': virtualPort('10.0.0.3'),
  };
  enforcement.replace(withServices(services, { '10.0.0.2': 'two' }));
  newcomers.askBackends(['10.96.0.20 TCP/5432']);
  newcomers.askBackends(['10.96.0.20 TCP/5432']);
  expect(noticed).toEqual(['10.0.0.5', '10.0.0.1']);
});

test("only the pod's own name servers are asked about ahead, of whomever Services for names are", () => {
  const services = {
    '10.96.0.10 UDP/53': virtualPort('10.0.0.5'),
    '10.96.0.10 TCP/9153': virtualPort('10.0.0.6'),
    '10.96.0.66 UDP/53': virtualPort(...many(1_024)),
  };
  enforcement.replace(withServices(services));
  newcomers.askBackends([]);
  expect(noticed).toEqual(['10.0.0.5']);
});

test('of a Service some backends are asked about at a time, and each in its turn', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const key = '10.96.0.20 TCP/5432';
  const backends = many(80);
  const first = withServices({ [key]: virtualPort(...backends) });
  enforcement.replace(first);
  newcomers.askBackends([key]);
  expect(noticed).toEqual(backends.slice(0, 32));
  // A write to a slice makes the virtual port another object.
  enforcement.replace({ ...first, services: first.services.with([[key, virtualPort(...backends)]]) });
  newcomers.askBackends([key]);
  expect(noticed.length).toBe(32);
  for (let round = 0; round < 2; round += 1) {
    vi.advanceTimersByTime(10_000);
    newcomers.askBackends([key]);
  }
  expect(noticed).toEqual([...backends, ...backends.slice(0, 16)]);
  void newcomers.ask([peer('10.96.0.20', 5_432)]);
  expect(asked.length).toBe(32);
});

test('a sidecar that has met many is not made to meet more by Services that it may not use', () => {
  const members = Object.fromEntries(many(1_024).map((address) => [address, 'pod']));
  const services = {
    '10.96.0.10 UDP/53': virtualPort('10.1.0.5'),
    '10.96.0.20 TCP/5432': virtualPort('10.0.0.1', '10.1.0.1'),
  };
  enforcement.replace(withServices(services, members));
  newcomers.askBackends(['10.96.0.20 TCP/5432']);
  expect(noticed).toEqual(['10.1.0.5']);
});

test('all Services have their turn, however many there are', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const keys = Array.from({ length: 40 }, (_, i) => `10.96.1.${i} TCP/5432`);
  const services = Object.fromEntries(
    keys.map((key, i) => [
      key,
      virtualPort(...many(32).map((address) => address.replace('10.0', `10.${i}`))),
    ]),
  );
  const met = new Set<string>();
  const membership = new MembershipQueries({
    meet(addresses) {
      for (const address of addresses) met.add(address);
    },
  });
  const paced = new Newcomers('egress', {
    enforcement,
    membership,
    nameServers: ['10.96.0.10'],
    unreadable: () => undefined,
  });
  enforcement.replace(withServices({ ...services, '10.96.0.10 UDP/53': virtualPort('10.100.0.5') }));
  for (let round = 0; round < 6; round += 1) {
    paced.askBackends(keys);
    expect(met.size).toBeLessThanOrEqual(256 * (round + 1));
    vi.advanceTimersByTime(10_000);
  }
  expect(met.size).toBe(40 * 32 + 1);
});

test('name servers are read as resolvers read them', () => {
  const text =
    '# nameserver 192.0.2.1\nsearch shop.svc\nnameserver 10.96.0.10\n nameserver\tFD00:0::A \nnameserver x\nnameserver fe80::1%eth0\n';
  expect(nameServersOf(text)).toEqual(['10.96.0.10', 'fd00::a']);
});

test('nobody is asked about where all groups are whole', () => {
  enforcement.replace(table({ revision: 1, allowed: [] }));
  expect(newcomers.active()).toBe(false);
  newcomers.askBackends(['10.96.0.20 TCP/5432']);
  expect([noticed, newcomers.ask([peer('10.0.0.9', 80)])]).toEqual([[], undefined]);
});

test('before a denial is recorded it is asked whether it stands, once; who was let in was not denied', async () => {
  enforcement.replace(withServices({ '10.96.0.20 TCP/5432': virtualPort('10.0.0.1') }));
  answered.add('10.0.0.8');
  await newcomers.ask([peer('10.0.0.9', 80), peer('10.0.0.8', 80), peer('10.96.0.20', 5_432)]);
  expect(asked).toEqual(['10.0.0.9', '10.0.0.1']);
  expect(newcomers.isAdmitted(peer('10.96.0.20', 5_432))).toBe(false);
  enforcement.replace(
    withServices({ '10.96.0.20 TCP/5432': virtualPort('10.0.0.1') }, { '10.0.0.1': 'one' }),
  );
  expect(newcomers.isAdmitted(peer('10.96.0.20', 5_432))).toBe(true);
  expect(newcomers.isAdmitted(peer('10.0.0.9', 80))).toBe(false);
});
