/** What a change of a table costs the planner: what it touches, and nothing of what there is. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largeTable, withPeer } from '../../../../bench/large_table.ts';
import { PersistentMap } from '../../../../common/persistent_map.ts';
import { type AddressGroup, type Table, tableWith } from '../../../../policy/index.ts';
import { GatePlanner } from '../../../../sidecar/gate/plan/planner.ts';
import { atOnce, type Steps, sorted } from '../../../../sidecar/gate/plan/steps.ts';
import { servicesTable, withBackend } from '../../../builders/services_table.ts';
import { table as builtTable, groupOf, withPolicies } from '../../../builders/tables.ts';
import { gatePlan, said } from './gate_plan.ts';

const POLICY = { namespace: 'shop', name: 'some' };

/** What came of it, and after how many pauses. */
function counted<T>(steps: Steps<T>): { readonly value: T; readonly pauses: number } {
  for (let pauses = 0; ; pauses += 1) {
    const { done, value } = steps.next();
    if (done === true) return { value, pauses };
  }
}

test('a table of 10,000 peers is planned in many steps, a peer more in one', () => {
  const planner = new GatePlanner();
  const large = largeTable();
  const first = counted(planner.plan(large));
  expect(first.pauses).toBeGreaterThan(50);
  const next = counted(planner.plan(withPeer(large, '10.250.0.1', 'g0')));
  expect(next.pauses).toBe(0);
  expect(next.value.ingress.pods[4].size).toBe(10_001);
  expect(next.value.ingress.accesses).toBe(first.value.ingress.accesses);
  expect(next.value.ingress.blocks).toBe(first.value.ingress.blocks);
  expect(next.value.egress).toBe(first.value.egress);
});

test('another pod with the same address changes nothing', () => {
  const planner = new GatePlanner();
  const joined = withPeer(largeTable(), '10.250.0.1', 'g0');
  const plan = atOnce(planner.plan(joined));
  const [id, group] = [...joined.groups][0] ?? [];
  if (id === undefined || group === undefined) throw new Error('the table has no group');
  const members = group.members.with([['10.250.0.1', 'another']]);
  const groups = new Map(joined.groups).set(id, { ...group, members });
  expect(atOnce(planner.plan({ ...joined, groups })).ingress).toBe(plan.ingress);
});

test('another policy for what the pod sends leaves the plan of what it receives as it is', () => {
  const planner = new GatePlanner();
  const large = largeTable();
  const plan = atOnce(planner.plan(large));
  const policies = new Map(large.policies).set('shop/some', { policy: POLICY, egress: [] });
  const next = counted(planner.plan(tableWith({ ...large, policies })));
  expect(next.value.ingress).toBe(plan.ingress);
  expect(next.value.egress.isolated).toBe(true);
  expect(next.pauses).toBe(0);
});

test('a rule more leaves the accesses of peers that it does not name as they are', () => {
  const planner = new GatePlanner();
  const large = largeTable();
  const before = atOnce(planner.plan(large));
  const rule = {
    policy: POLICY,
    index: 0,
    ports: [{ protocol: 'TCP', from: 7, to: 7 }],
    peers: [{ kind: 'group', group: 'g0' }],
  } as const;
  const policies = new Map(large.policies).set('shop/some', { policy: POLICY, ingress: [rule] });
  const table = tableWith({ ...large, policies });
  const after = atOnce(planner.plan(table));
  expect(said(after)).toEqual(said(gatePlan(table)));
  expect([...after.ingress.pods[4].since(before.ingress.pods[4])]).toHaveLength(100);
  expect([...after.ingress.accesses.since(before.ingress.accesses)]).toHaveLength(2);
});

test('a plan that nobody finishes leaves nothing behind', () => {
  const planner = new GatePlanner();
  const large = largeTable();
  const begun = planner.plan(large);
  for (let step = 0; step < 20; step += 1) begun.next();
  const table = withPeer(large, '10.250.0.1', 'g0');
  expect(said(atOnce(planner.plan(table)))).toEqual(said(gatePlan(table)));
});

/** A pod that may go to the port `http` of everybody in the group `g`. */
function namingPorts(groups: Readonly<Record<string, AddressGroup>>): Table {
  const rule = {
    policy: POLICY,
    index: 0,
    ports: [{ protocol: 'TCP', name: 'http' }],
    peers: [{ kind: 'group', group: 'g' }],
  } as const;
  const table = withPolicies(builtTable({ revision: 1 }), { policy: POLICY, egress: [rule] });
  return { ...table, groups: new Map(Object.entries(groups)) };
}

const http = (port: number) => [{ name: 'http', protocol: 'TCP', port }] as const;

test('a peer that declares another port is planned again; of several groups the first that has its ports counts', () => {
  const planner = new GatePlanner();
  const group = groupOf({ '10.1.0.1': 'a', '10.1.0.2': 'b' });
  const withPorts = (ports: Readonly<Record<string, number>>): AddressGroup => ({
    ...group,
    ports: PersistentMap.from(Object.entries(ports).map(([address, port]) => [address, http(port)])),
  });
  const tables = [
    namingPorts({ g: withPorts({ '10.1.0.1': 80 }) }),
    namingPorts({ g: withPorts({ '10.1.0.1': 81, '10.1.0.2': 82 }) }),
    namingPorts({ other: withPorts({ '10.1.0.2': 90 }), g: withPorts({ '10.1.0.1': 81, '10.1.0.2': 82 }) }),
    namingPorts({ g: withPorts({}) }),
  ];
  for (const table of tables) {
    expect(said(atOnce(planner.plan(table)))).toEqual(said(gatePlan(table)));
  }
});

test('a changed backend plans its own virtual port again, and no other', () => {
  const planner = new GatePlanner();
  const table = servicesTable(300, 3);
  const before = atOnce(planner.plan(table)).egress.services;
  const next = counted(planner.plan(withBackend(table, 7, '10.9.9.9')));
  const changed = [...next.value.egress.services.ports.since(before.ports)];
  expect(changed).toHaveLength(1);
  expect(next.pauses).toBe(0);
});

test('a list is sorted in steps as it is at once', () => {
  const property = fc.property(fc.array(fc.record({ at: fc.nat(50) }), { maxLength: 2_000 }), (list) => {
    const compare = (a: { at: number }, b: { at: number }) => a.at - b.at;
    const found = atOnce(sorted(list, compare));
    const wanted = [...list].sort(compare);
    expect(found.every((one, place) => one === wanted[place])).toBe(true);
    expect(found).toHaveLength(list.length);
  });
  fc.assert(property, { numRuns: 50 });
});
