/** Beyond its bounds the gate admits less than policy says, never more, and says so. */
import { describe, expect, test } from 'vitest';
import {
  createJudge,
  ServiceMap,
  type Table,
  type TableRule,
  type VirtualPort,
} from '../../../../policy/index.ts';
import { accessOf } from '../../../../sidecar/gate/plan/access.ts';
import { DirectionPlanner } from '../../../../sidecar/gate/plan/direction_planner.ts';
import { overBounds } from '../../../../sidecar/gate/plan/over_bounds.ts';
import { closedPlan, type DirectionPlan } from '../../../../sidecar/gate/plan/plan.ts';
import { ServicePlanner } from '../../../../sidecar/gate/plan/service_planner.ts';
import { atOnce } from '../../../../sidecar/gate/plan/steps.ts';
import { table as builtTable, groupOf, withPolicies } from '../../../builders/tables.ts';
import { gatePlan } from './gate_plan.ts';
import { planAdmits } from './lookup.ts';

const POLICY = { namespace: 'shop', name: 'large' };
const RULES = 40;

/** Each rule has a port of its own for everybody but one address: nearly every range has its own set of rules. */
const overlapping: readonly TableRule[] = Array.from({ length: RULES }, (_, i) => ({
  policy: POLICY,
  index: i,
  ports: [{ protocol: 'TCP', from: 1 + 2 * i, to: 1 + 2 * i }],
  peers: [{ kind: 'ipBlock', cidr: '10.0.0.0/8', except: [`10.0.0.${2 * i}/32`] }],
}));
const table = withPolicies(builtTable({ revision: 1 }), { policy: POLICY, ingress: overlapping });
const ADDRESSES = [...Array.from({ length: 2 * RULES }, (_, i) => `10.0.0.${i}`), '9.9.9.9'];

function admitted(ingress: DirectionPlan): { readonly right: number; readonly less: number } {
  const plan = { ...closedPlan([]), ingress };
  const judge = createJudge(table);
  let [right, less] = [0, 0];
  for (const address of ADDRESSES) {
    for (let port = 1; port <= 2 * RULES; port += 1) {
      const wanted = judge.judge('ingress', address, 'TCP', port).verdict === 'allow';
      const got = planAdmits(plan, 'ingress', address, 'TCP', port);
      expect(got && !wanted).toBe(false);
      if (got === wanted) right += 1;
      else less += 1;
    }
  }
  return { right, less };
}

describe('rules that give each address another set of ports', () => {
  test('are planned rightly within the bounds', () => {
    const plan = atOnce(new DirectionPlanner('ingress').plan(table));
    expect(plan.isOverBounds).toBe(false);
    expect(admitted(plan).less).toBe(0);
  });

  test.each([
    ['parts of sets', { parts: 100, ranges: 100_000 }],
    ['port ranges', { parts: 100_000, ranges: 500 }],
  ])('admit less beyond the bound of %s, never more, and say so', (_, bounds) => {
    const plan = atOnce(new DirectionPlanner('ingress', undefined, bounds).plan(table));
    expect(plan.isOverBounds).toBe(true);
    expect(admitted(plan).less).toBeGreaterThan(0);
    expect(overBounds({ ...closedPlan([]), ingress: plan })).toEqual([
      expect.stringContaining('the ingress rules are more than the gate takes'),
    ]);
  });
});

describe('members that come and go', () => {
  const GROUPS = 12;
  /** The same rules for each table. */
  const rules: readonly TableRule[] = Array.from({ length: GROUPS }, (_, i) => ({
    policy: POLICY,
    index: i,
    ports: [{ protocol: 'TCP', from: 1 + 2 * i, to: 1 + 2 * i }],
    peers: [{ kind: 'group', group: `g${i}` }],
  }));
  const empty = withPolicies(builtTable({ revision: 1 }), { policy: POLICY, ingress: rules });
  const withMembers = (members: (group: number) => readonly string[]): Table => ({
    ...empty,
    groups: new Map(
      rules.map(({ index }) => [
        `g${index}`,
        groupOf(Object.fromEntries(members(index).map((address) => [address, address]))),
      ]),
    ),
  });
  /** Member n is in the groups that n has a bit for. */
  const member = (n: number) => withMembers((group) => ((n >> group) & 1 ? [`10.7.0.${n % 250}`] : []));
  const bounds = { parts: 200, ranges: 10_000 };

  test('never cost a pod what policy allows, however many there have been', () => {
    const planner = new DirectionPlanner('ingress', undefined, bounds);
    for (let n = 1; n < 1 << GROUPS; n += 37) {
      const table = member(n);
      const plan = atOnce(planner.plan(table));
      expect(plan.isOverBounds).toBe(false);
      const judge = createJudge(table);
      for (let port = 1; port <= 2 * GROUPS; port += 1) {
        const address = `10.7.0.${n % 250}`;
        const wanted = judge.judge('ingress', address, 'TCP', port).verdict === 'allow';
        expect(
          planAdmits({ ...closedPlan([]), ingress: plan }, 'ingress', address, 'TCP', port),
          `${n} ${port}`,
        ).toBe(wanted);
      }
    }
  });

  test('that together are too many are said to be so with the very table that has them', () => {
    const planner = new DirectionPlanner('ingress', undefined, bounds);
    const crowd = (count: number) =>
      withMembers((group) =>
        Array.from({ length: count }, (_, n) => n * 37 + 1).flatMap((n) =>
          (n >> group) & 1 ? [`10.7.${n >> 8}.${n & 255}`] : [],
        ),
      );
    expect(atOnce(planner.plan(crowd(2))).isOverBounds).toBe(false);
    expect(atOnce(planner.plan(crowd(100))).isOverBounds).toBe(true);
  });
});

/** Services with so many backends each, for a pod that policy lets go everywhere. */
function planServices(sizes: readonly number[], backends: number, backendsOfPort = 100) {
  const services = ServiceMap.from(
    sizes.map((size, i): [string, VirtualPort] => [
      `10.96.0.${i} TCP/80`,
      {
        namespace: 'shop',
        name: `s${i}`,
        backends: Array.from({ length: size }, (__, j) => ({ address: `10.1.${i}.${j}`, port: 80 })),
      },
    ]),
  );
  const everything = { id: 'all', access: accessOf([[]]) };
  const planner = new ServicePlanner(undefined, { backends, backendsOfPort });
  const plan = atOnce(planner.plan({ ...table, services }, undefined, () => everything));
  return { plan, used: [...plan.ports.values()].map((port) => [port.address, port.backends.length]).sort() };
}

describe('Services with more backends than the kernel is to hold', () => {
  test('have all of them within the bounds', () => {
    expect(planServices([3, 5], 8)).toMatchObject({
      plan: { shortened: 0 },
      used: [
        ['10.96.0.0', 3],
        ['10.96.0.1', 5],
      ],
    });
  });

  test('use some of the backends of the largest, and leave small ones alone', () => {
    const { plan, used } = planServices([2, 50, 90], 20);
    expect(used).toEqual([
      ['10.96.0.0', 2],
      ['10.96.0.1', 8],
      ['10.96.0.2', 8],
    ]);
    expect(overBounds({ ...closedPlan([]), egress: { ...gatePlan(table).egress, services: plan } })).toEqual([
      '2 virtual ports of Services use some of their backends only: all are more than the gate takes',
    ]);
  });

  test('serve nobody rather than untranslated where even one backend each is too much', () => {
    expect(planServices([1, 1, 1], 2).used.map(([, count]) => count)).toEqual([0, 0, 0]);
  });

  test('have a bound of their own each', () => {
    expect(planServices([30], 1000, 16).used).toEqual([['10.96.0.0', 16]]);
  });
});
