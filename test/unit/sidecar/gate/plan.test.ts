import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createCompiler,
  createJudge,
  isSubject,
  type Protocol,
  ServiceMap,
  virtualKey,
} from '../../../../policy/index.ts';
import { accessOf, accessText } from '../../../../sidecar/gate/plan/access.ts';
import { type RuleBlock, RuledRanges } from '../../../../sidecar/gate/plan/address_ranges.ts';
import { closedPlan } from '../../../../sidecar/gate/plan/plan.ts';
import { GatePlanner } from '../../../../sidecar/gate/plan/planner.ts';
import { RuleSets } from '../../../../sidecar/gate/plan/rule_sets.ts';
import { atOnce } from '../../../../sidecar/gate/plan/steps.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { scenario } from '../../../builders/random_cluster.ts';
import { table as builtTable, withPolicies } from '../../../builders/tables.ts';
import { editedTables } from './edited_tables.ts';
import { gatePlan, said } from './gate_plan.ts';
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
            if (table.services.has(virtualKey(peer, protocol as Protocol, port))) continue;
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
  'a plan made from changes is the same as one made from the table alone, for any change',
  () => {
    let reused = 0;
    const property = fc.property(editedTables(12), (tables) => {
      const planner = new GatePlanner();
      let before = closedPlan([]);
      for (const table of tables) {
        const plan = atOnce(planner.plan(table));
        expect(said(plan)).toEqual(said(gatePlan(table)));
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

/** Ranges with the ports that tell rules apart: rule N has port N. */
function rangesOf(family: 4 | 6, blocks: readonly RuleBlock[]) {
  const sets = new RuleSets(
    Array.from({ length: 8 }, (_, rule) => [{ protocol: 'TCP', from: 2 * rule, to: 2 * rule }]),
  );
  const ranges = atOnce(RuledRanges.of(family, blocks, sets, []));
  const shown = (rules: number) =>
    (sets.access(rules).access.get('TCP') ?? []).map(({ from }) => from / 2).join();
  return {
    list: Array.from(ranges.list(), ({ text, rules }) => [text, shown(rules)]),
    find: (address: string) => shown(ranges.find(address)),
  };
}

test('blocks that overlap are cut into ranges with all their rules; exceptions are holes, not denials', () => {
  const ranges = rangesOf(4, [
    { cidr: '10.0.0.0/24', except: ['10.0.0.128/25'], rule: 0 },
    { cidr: '10.0.0.192/26', except: [], rule: 1 },
    { cidr: '10.0.0.0/30', except: [], rule: 2 },
    { cidr: 'fd00::/8', except: [], rule: 3 },
  ]);
  expect(ranges.list).toEqual([
    ['10.0.0.0-10.0.0.3', '0,2'],
    ['10.0.0.4-10.0.0.127', '0'],
    ['10.0.0.192-10.0.0.255', '1'],
  ]);
  expect(ranges.find('10.0.0.3')).toBe('0,2');
  expect(ranges.find('10.0.0.128')).toBe('');
  expect(ranges.find('9.255.255.255')).toBe('');
  expect(rangesOf(6, [{ cidr: '::/0', except: ['fd00::/8'], rule: 7 }]).list).toEqual([
    ['::-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '7'],
    ['fe00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '7'],
  ]);
});

test('exceptions may lie in each other and beyond their block; an exception of one rule is none of another', () => {
  expect(
    rangesOf(4, [
      { cidr: '10.0.0.0/24', except: ['10.0.0.0/26', '10.0.0.8/32', '10.0.0.0/8', '9.0.0.0/8'], rule: 0 },
      { cidr: '0.0.0.0/0', except: ['10.0.0.64/32', '10.0.0.64/31', '255.255.255.255/32'], rule: 1 },
      { cidr: '10.0.0.65/32', except: [], rule: 1 },
    ]).list,
  ).toEqual([
    ['0.0.0.0-10.0.0.63', '1'],
    ['10.0.0.65-255.255.255.254', '1'],
  ]);
});

test('the virtual port that tables come from is left to the node, others are not', () => {
  const policy = { namespace: 'shop', name: 'none' };
  const virtual = (name: string) => ({
    namespace: 'sluice-system',
    name,
    backends: [{ address: '10.0.0.7', port: 1 }],
  });
  const services = ServiceMap.from([
    ['10.96.0.20 TCP/15010', virtual('sluice-injector')],
    ['10.96.0.20 TCP/443', virtual('sluice-injector')],
  ]);
  const table = withPolicies({ ...builtTable({ revision: 1 }), services }, { policy, egress: [] });
  const plan = atOnce(new GatePlanner('10.96.0.20 TCP/15010').plan(table));
  expect([...plan.egress.services.ports.values()].map(({ port }) => port)).toEqual([443]);
});
