import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createCompiler,
  createJudge,
  isSubject,
  type Protocol,
  virtualKey,
} from '../../../../policy/index.ts';
import { accessOf, accessText } from '../../../../sidecar/gate/access.ts';
import { RuledRanges } from '../../../../sidecar/gate/address_ranges.ts';
import { closedPlan } from '../../../../sidecar/gate/plan.ts';
import { GatePlanner, gatePlan } from '../../../../sidecar/gate/planner.ts';
import { readCluster } from '../../policy/api_objects.ts';
import { scenario } from '../../policy/random_cluster.ts';
import { table as builtTable } from '../table_builder.ts';
import { editedTables } from './edited_tables.ts';
import { planAdmits } from './lookup.ts';

const PROPERTY_TIMEOUT_MS = 60_000;

test(
  'the gate admits exactly what the judge admits, on random clusters',
  () => {
    let denied = 0;
    let allowed = 0;
    const property = fc.property(scenario, ({ objects, flows }) => {
      const cluster = readCluster(objects);
      const compiler = createCompiler(cluster);
      for (const [key, pod] of cluster.pods) {
        if (!isSubject(pod)) continue;
        const table = compiler.compile(key, 1);
        const judge = createJudge(table);
        const plan = gatePlan(table);
        for (const { source, destination, protocol, port } of flows) {
          for (const [direction, peer] of [
            ['ingress', source],
            ['egress', destination],
          ] as const) {
            if (table.subject.ips.includes(peer)) continue; // the pod to itself never passes the gate
            if (Object.hasOwn(table.services, virtualKey(peer, protocol as Protocol, port))) continue;
            const { verdict } = judge.judge(direction, peer, protocol as Protocol, port);
            expect(planAdmits(plan, direction, peer, protocol as Protocol, port)).toBe(verdict === 'allow');
            if (verdict === 'allow') allowed += 1;
            else denied += 1;
          }
        }
      }
    });
    fc.assert(property, { numRuns: 400 });
    expect(Math.min(denied, allowed)).toBeGreaterThan(100);
  },
  PROPERTY_TIMEOUT_MS,
);

test(
  'a plan that follows another is the one that planning anew gives, whatever changed',
  () => {
    let reused = 0;
    const property = fc.property(editedTables(12), (tables) => {
      const planner = new GatePlanner();
      let before = closedPlan([]);
      for (const table of tables) {
        const plan = planner.plan(table);
        expect(plan).toEqual(gatePlan(table));
        if (plan.ingress === before.ingress || plan.egress === before.egress) reused += 1;
        before = plan;
      }
    });
    fc.assert(property, { numRuns: 150 });
    expect(reused).toBeGreaterThan(50);
  },
  PROPERTY_TIMEOUT_MS,
);

test('a closed gate admits nobody but the own node', () => {
  const plan = closedPlan(['10.0.0.1']);
  expect(planAdmits(plan, 'ingress', '10.0.0.1', 'TCP', 80)).toBe(true);
  expect(planAdmits(plan, 'egress', '10.0.0.2', 'UDP', 53)).toBe(false);
});

test.each([
  [[[{ protocol: 'TCP', from: 80, to: 80 }], [{ protocol: 'TCP', from: 81, to: 90 }]], 'TCP/80-90'],
  [
    [
      [
        { protocol: 'TCP', from: 443, to: 443 },
        { protocol: 'UDP', from: 53, to: 53 },
      ],
    ],
    'TCP/443 UDP/53',
  ],
  [[[]], 'TCP/0-65535 UDP/0-65535 SCTP/0-65535'],
  [[[{ protocol: 'SCTP' }], [{ protocol: 'SCTP', from: 5, to: 6 }]], 'SCTP/0-65535'],
  [[[{ protocol: 'TCP', name: 'nobody-has-it' }]], ''],
  [[], ''],
] as const)('ports of several rules are merged: %j', (rules, text) => {
  expect(accessText(accessOf(rules))).toBe(text);
});

test('blocks that overlap are cut into ranges with all their rules; exceptions are holes, not denials', () => {
  const ranges = new RuledRanges(4, [
    { cidr: '10.0.0.0/24', except: ['10.0.0.128/25'], rule: 0 },
    { cidr: '10.0.0.192/26', except: [], rule: 1 },
    { cidr: '10.0.0.0/30', except: [], rule: 2 },
    { cidr: 'fd00::/8', except: [], rule: 3 },
  ]);
  expect(ranges.list).toEqual([
    { from: '10.0.0.0', to: '10.0.0.3', rules: [0, 2] },
    { from: '10.0.0.4', to: '10.0.0.127', rules: [0] },
    { from: '10.0.0.192', to: '10.0.0.255', rules: [1] },
  ]);
  expect(ranges.find('10.0.0.3')).toEqual([0, 2]);
  expect(ranges.find('10.0.0.128')).toEqual([]);
  expect(ranges.find('9.255.255.255')).toEqual([]);
  expect(new RuledRanges(6, [{ cidr: '::/0', except: ['fd00::/8'], rule: 7 }]).list).toEqual([
    { from: '::', to: 'fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', rules: [7] },
    { from: 'fe00::', to: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', rules: [7] },
  ]);
});

test('the virtual port that tables come from is left to the node, others are not', () => {
  const isolating = [{ namespace: 'shop', name: 'none' }];
  const virtual = (name: string) => ({
    namespace: 'sluice-system',
    name,
    backends: [{ address: '10.0.0.7', port: 1 }],
  });
  const plan = new GatePlanner('10.96.0.20 TCP/15010').plan({
    ...builtTable({ revision: 1 }),
    egress: { direction: 'egress', isolating, rules: [] },
    services: {
      '10.96.0.20 TCP/15010': virtual('sluice-injector'),
      '10.96.0.20 TCP/443': virtual('sluice-injector'),
    },
  });
  expect([...plan.egress.services.virtual[4].keys()]).toEqual(['10.96.0.20 . tcp . 443']);
});
