/** What a judge says of denials where groups have only the members that were asked about. */
import { expect, test } from 'vitest';
import { PersistentMap } from '../../../common/persistent_map.ts';
import {
  type AddressGroup,
  createJudge,
  isDeniedForCertain,
  type TablePort,
  type TableRule,
} from '../../../policy/index.ts';
import { table, withPolicies } from '../../builders/tables.ts';

const POLICY = { namespace: 'shop', name: 'allow' };
const MEMBER = '10.0.0.1';
const STRANGER = '10.0.0.2';

const groupWith = (members: Readonly<Record<string, string>>): AddressGroup => ({
  podSelector: { matchLabels: {}, matchExpressions: [] },
  members: PersistentMap.from(Object.entries(members)),
});

const rule = (index: number, group: string, ...ports: readonly TablePort[]): TableRule => ({
  policy: POLICY,
  index,
  ports,
  peers: [{ kind: 'group', group }],
});

const TCP_80: TablePort = { protocol: 'TCP', from: 80 };

/** Ingress: port 80 from a partial group, port 443 from one that is whole. Egress: a named port of the partial group. */
const judge = createJudge(
  withPolicies(
    {
      ...table({ revision: 1 }),
      groups: new Map([
        ['large', { ...groupWith({ [MEMBER]: 'one' }), partial: true as const }],
        ['small', groupWith({ '10.0.0.3': 'three' })],
      ]),
    },
    {
      policy: POLICY,
      ingress: [rule(0, 'large', TCP_80), rule(1, 'small', { protocol: 'TCP', from: 443 })],
      egress: [rule(0, 'large', { protocol: 'UDP', name: 'dns' })],
    },
  ),
);

test('a denial is unsure where a partial group could admit the port to a peer that was not asked about', () => {
  expect(judge.isUnsure('ingress', STRANGER, 'TCP', 80)).toBe(true);
  expect(judge.isUnsure('ingress', `::ffff:${STRANGER}`, 'TCP', 80)).toBe(true);
  expect(judge.isUnsure('ingress', STRANGER, 'TCP', 443)).toBe(false);
  expect(judge.isUnsure('ingress', STRANGER, 'UDP', 80)).toBe(false);
});

test('of a member of a partial group all is known, also of the groups that it is not in', () => {
  expect(judge.judge('ingress', MEMBER, 'TCP', 443)).toMatchObject({ verdict: 'deny' });
  expect(judge.isUnsure('ingress', MEMBER, 'TCP', 80)).toBe(false);
  expect(judge.isUnsure('ingress', `::ffff:${MEMBER}`, 'TCP', 443)).toBe(false);
  expect([judge.isMet(MEMBER), judge.isMet(STRANGER), judge.isMet('10.0.0.3')]).toEqual([true, false, false]);
});

test('a denial is certain where nobody has to be asked', () => {
  const isCertain = (peer: string, port: number) => isDeniedForCertain(judge, 'ingress', peer, 'TCP', port);
  expect([isCertain(STRANGER, 80), isCertain(STRANGER, 443)]).toEqual([false, true]);
  expect([isCertain(MEMBER, 80), isCertain(MEMBER, 443)]).toEqual([false, true]);
});

test('a named port may be any port of a peer that was not asked about', () => {
  expect(judge.isUnsure('egress', STRANGER, 'UDP', 53)).toBe(true);
  expect(judge.isUnsure('egress', STRANGER, 'TCP', 53)).toBe(false);
});

test('a direction has partial groups where its rules ask for some', () => {
  expect([judge.hasPartial('ingress'), judge.hasPartial('egress')]).toEqual([true, true]);
  const whole = createJudge(table({ revision: 1, allowed: [MEMBER] }));
  expect([whole.hasPartial('ingress'), whole.isUnsure('ingress', STRANGER, 'TCP', 80)]).toEqual([
    false,
    false,
  ]);
});
