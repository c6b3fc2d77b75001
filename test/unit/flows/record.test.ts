/** The form of records: what sidecars write has it, and what has another form is refused. */
import { expect, expectTypeOf, test } from 'vitest';
import { flowRecord, keptRecord, type VERDICT_REASONS } from '../../../flows/index.ts';
import type { PeerIdentity, RuleMiss, Verdict } from '../../../policy/index.ts';
import { type FlowFacts, recordOf } from '../../../sidecar/records/flow_record.ts';

const NOW = new Date('2026-11-30T10:00:00Z');

const identity = (name: string): Pick<PeerIdentity, 'namespace' | 'name' | 'workload'> => ({
  namespace: 'shop',
  name,
  workload: `deploy/${name}`,
});

const MISS: RuleMiss = {
  policy: { namespace: 'shop', name: 'db-clients' },
  direction: 'ingress',
  rule: 0,
  tests: [
    {
      failed: 'pod',
      wanted: 'label app=checkout',
      got: 'no label app',
      key: 'app',
      meant: { kind: 'key', key: 'apps' },
    },
    { failed: 'port', wanted: 'TCP/80', got: 'TCP/5432' },
  ],
};

const DENIED: Verdict = {
  verdict: 'deny',
  direction: 'ingress',
  reason: 'no-rule',
  isolating: [
    { namespace: 'shop', name: 'default-deny' },
    { namespace: 'shop', name: 'db-clients' },
  ],
  near: [MISS],
};

const ALLOWED: Verdict = {
  verdict: 'allow',
  direction: 'ingress',
  reason: 'rule',
  policy: { namespace: 'shop', name: 'db-clients' },
  rule: 1,
};

function made(verdict: Verdict, more: Partial<FlowFacts> = {}) {
  const facts: FlowFacts = {
    verdict,
    end: 'closed',
    protocol: 'TCP',
    source: { address: '10.0.0.1', port: 40_000, identity: undefined },
    destination: { address: '10.0.0.2', port: 5432, identity: identity('db-0') },
    revision: 7,
    ...more,
  };
  return recordOf(facts, verdict, identity('checkout-7d9f'), NOW);
}

test('the reasons of verdicts are those that a record may have', () => {
  expectTypeOf<(typeof VERDICT_REASONS)[number]>().toEqualTypeOf<Verdict['reason']>();
});

test.each<[string, Verdict, Partial<FlowFacts>]>([
  ['allowed', ALLOWED, { bytesSent: 1, bytesReceived: 2, durationMs: 1.5, path: 'direct' }],
  ['denied', DENIED, { end: 'dropped', packets: 3 }],
  ['refused', ALLOWED, { refusal: 'capacity', end: 'refused' }],
  ['without a table', { verdict: 'deny', direction: 'egress', reason: 'no-table' }, {}],
  ['cut', DENIED, { end: 'policy-changed', was: { verdict: ALLOWED, revision: 6 } }],
])('a record of a flow that was %s has the form', (_, verdict, more) => {
  expect(flowRecord.check(JSON.parse(JSON.stringify(made(verdict, more))))).toBeUndefined();
});

test('a denial names no policy as its own, but all that isolate and the rules that came near', () => {
  const record = made(DENIED, { end: 'dropped', packets: 3 });
  expect(record).not.toHaveProperty('policy');
  expect(record).toMatchObject({
    isolating: ['shop/default-deny', 'shop/db-clients'],
    near: [
      {
        policy: 'shop/db-clients',
        rule: 0,
        lacks: [
          'label app=checkout wanted, peer has no label app: the same value is under apps',
          'TCP/80 wanted, flow goes to TCP/5432',
        ],
      },
    ],
    explanation:
      'shop/checkout-7d9f -> shop/db-0 TCP/5432 denied at ingress: isolated by shop/default-deny, shop/db-clients; ' +
      'nearest rule db-clients ingress[0]: label app=checkout wanted, peer has no label app',
  });
});

test('what nobody counted is left out, and what was counted as nothing is not', () => {
  const unknown = made(DENIED, { end: 'dropped' });
  for (const field of ['bytes_sent', 'bytes_recv', 'duration_ms']) expect(unknown).not.toHaveProperty(field);
  const known = made(DENIED, { end: 'refused', bytesSent: 0, bytesReceived: 0, durationMs: 0 });
  expect(known).toMatchObject({ bytes_sent: 0, bytes_recv: 0, duration_ms: 0 });
});

test.each<[Verdict, object, string]>([
  [ALLOWED, { policy: 'shop/db-clients', rule: 1 }, 'rule shop/db-clients ingress[1]'],
  [
    { verdict: 'allow', direction: 'ingress', reason: 'not-isolated' },
    { reason: 'not-isolated' },
    'no policy isolates the pod for ingress',
  ],
])('a cut says by what the flow had been allowed', (before, was, words) => {
  const record = made(DENIED, { end: 'policy-changed', was: { verdict: before, revision: 6 } });
  expect(record.was).toEqual({ ...was, revision: 6 });
  expect(record.explanation).toMatch(new RegExp(`; allowed before: ${words.replace(/[[\]]/g, '\\$&')}$`));
});

test.each([
  [{ time: undefined }, '.time is missing'],
  [{ end: 'vanished' }, '.end must be'],
  [{ dst: { addr: '10.0.0.2', port: 65_536 } }, '.dst.port must be'],
  [{ near: [{ policy: 'a/b' }] }, '.near[0].rule is missing'],
  [{ was: { policy: 'a/b' } }, '.was.revision is missing'],
])('what is not of the form is refused: %j', (more, problem) => {
  const value = JSON.parse(JSON.stringify({ ...made(DENIED), ...more }));
  expect(() => flowRecord.read(value, '', (text) => new Error(text))).toThrow(problem);
});

test('fields of a later version are passed over', () => {
  const later = { ...made(ALLOWED), layer7: true, src: { addr: '10.0.0.1', zone: 'a' } };
  expect(flowRecord.check(later)).toBeUndefined();
});

test('an event of the injector may name the change that ended the flow', () => {
  const change = { kind: 'NetworkPolicy', namespace: 'shop', name: 'db-clients', at: NOW.toISOString() };
  expect(keptRecord.check({ ...made(DENIED), change })).toBeUndefined();
  expect(keptRecord.check({ ...made(DENIED), change: { kind: 'NetworkPolicy' } })).toMatchObject({
    path: '.change.name',
  });
});
