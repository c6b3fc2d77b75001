/** Whom the injector is asked about because the gate keeps them out: peers, and the backends of Services. */
import { beforeEach, expect, test } from 'vitest';
import { ServiceMap, type Table, type VirtualPort } from '../../../../policy/index.ts';
import { Newcomers } from '../../../../sidecar/assembly/newcomers.ts';
import { Enforcement, LiveTable } from '../../../../sidecar/table/index.ts';
import { admittingGroup, partialGroupOf, table } from '../../../builders/tables.ts';

let noticed: string[];
let asked: string[];
let answered: Set<string>;
let enforcement: Enforcement;
let newcomers: Newcomers;

beforeEach(() => {
  [noticed, asked, answered] = [[], [], new Set()];
  enforcement = new Enforcement(new LiveTable());
  const meetings = {
    notice: (addresses: Iterable<string>) => void noticed.push(...addresses),
    ask: (addresses: Iterable<string>) => {
      asked.push(...addresses);
      return Promise.resolve();
    },
    hasAnswer: (address: string) => answered.has(address),
  };
  newcomers = new Newcomers('egress', { enforcement, meetings, unreadable: () => undefined });
});

const virtualPort = (...backends: readonly string[]): VirtualPort => ({
  namespace: 'shop',
  name: 'db',
  backends: backends.map((address) => ({ address, port: 5_432 })),
});

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
  expect(noticed).toEqual(['10.0.0.1', '10.0.0.5']);
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
