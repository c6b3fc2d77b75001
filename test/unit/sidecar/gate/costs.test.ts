/** What planning costs when a policy becomes eight times as large: about eight times as much, not sixty-four. */
import { describe, expect, test } from 'vitest';
import { createJudge, type Table, type TableRule } from '../../../../policy/index.ts';
import { table as builtTable, groupOf, withPolicies } from '../../../builders/tables.ts';
import { gatePlan } from './gate_plan.ts';
import { growth, N_LOG_N_GROWTH } from './growth.ts';

const POLICY = { namespace: 'shop', name: 'large' };

function address(n: number): string {
  return `${10 + ((n >> 24) & 127)}.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
}

function tableOf(rules: readonly Omit<TableRule, 'policy' | 'index'>[]): Table {
  const ingress = rules.map((rule, index) => ({ policy: POLICY, index, ...rule }));
  return withPolicies(builtTable({ revision: 1 }), { policy: POLICY, ingress });
}

const everyOther = (n: number, step: number) =>
  Array.from({ length: n }, (_, i) => `${address(i * step)}/32`);
const port = (number: number) => ({ protocol: 'TCP', from: number, to: number }) as const;

/** Tables of a size, each a way to make a policy large. */
const SHAPES: Readonly<Record<string, (n: number) => Table>> = {
  'exceptions of one block': (n) =>
    tableOf([{ ports: [], peers: [{ kind: 'ipBlock', cidr: '0.0.0.0/0', except: everyOther(n, 2) }] }]),
  'blocks that all overlap, with the same ports': (n) =>
    tableOf(
      everyOther(n, 4).map((hole) => ({
        ports: [port(80)],
        peers: [{ kind: 'ipBlock', cidr: '0.0.0.0/0', except: [hole] }],
      })),
    ),
  'blocks that all overlap, with ports that meet': (n) =>
    tableOf(
      everyOther(n, 4).map((hole, i) => ({
        ports: [port(1 + i)],
        peers: [{ kind: 'ipBlock', cidr: '0.0.0.0/0', except: [hole] }],
      })),
    ),
  'blocks in each other': (n) =>
    tableOf(
      Array.from({ length: n }, (_, i) => ({
        ports: [port(80 + (i % 8))],
        peers: [{ kind: 'ipBlock', cidr: `${address(i << 4)}/${8 + (i % 25)}`, except: [] }],
      })),
    ),
  'rules with a port each': (n) =>
    tableOf(
      everyOther(n, 2).map((cidr, i) => ({
        ports: [port(1 + i)],
        peers: [{ kind: 'ipBlock', cidr, except: [] }],
      })),
    ),
  'rules of one group': (n) => {
    const members = everyOther(n, 1).map((cidr) => cidr.slice(0, -3));
    const rules = Array.from({ length: n }, (_, i) => ({
      ports: [port(1 + i)],
      peers: [{ kind: 'group', group: 'all' }] as const,
    }));
    const all = groupOf(Object.fromEntries(members.map((ip) => [ip, ip])));
    return { ...tableOf(rules), groups: new Map([['all', all]]) };
  },
};

/** Enough that the clock says something, and that a square would show. */
const [SMALL, LARGE] = [300, 2_400];

describe.each(Object.entries(SHAPES))('%s', (_, tableWith) => {
  const [small, large] = [() => tableWith(SMALL), () => tableWith(LARGE)];

  test('cost the gate n log n', () => {
    expect(growth(small, large, gatePlan)).toBeLessThan(N_LOG_N_GROWTH);
  });

  test('cost the judge n log n', () => {
    const judged = (table: Table) => createJudge(table).explain('ingress', '9.9.9.9', 'TCP', 65_535);
    expect(growth(small, large, judged)).toBeLessThan(N_LOG_N_GROWTH);
  });
});
