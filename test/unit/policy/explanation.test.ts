/** A denial says which rule came closest and what it wanted; any verdict can be said in one sentence. */

import { describe, expect, it } from 'vitest';
import { describeFlow, type FailedTest, type RuleMiss, type Verdict } from '../../../policy/index.ts';
import { type ApiPolicy, apiNamespace, apiPod, apiPolicy } from '../../builders/api_objects.ts';
import { type Ask, flowsOf } from './flow_question.ts';

const PODS = [
  apiPod('shop/api', {
    labels: { app: 'api' },
    ips: ['10.0.0.1'],
    ports: [{ name: 'http', containerPort: 8080 }],
  }),
  apiPod('shop/web', { labels: { role: 'front', app: 'web' }, ips: ['10.1.2.3'] }),
  apiPod('other/web', { labels: { role: 'frontend' }, ips: ['10.1.9.9'] }),
];

function shop(...specs: ApiPolicy['spec'][]): Ask {
  const policies = specs.map((spec, i) =>
    apiPolicy(`shop/p${i}`, { podSelector: { matchLabels: { app: 'api' } }, ...spec }),
  );
  return flowsOf({ namespaces: [apiNamespace('other', { team: 'red' })], pods: PODS, policies });
}

function nearOf(verdict: Verdict): readonly RuleMiss[] {
  return verdict.reason === 'no-rule' ? (verdict.near ?? []) : [];
}

/** The nearest rule, with the first of its tests that failed. */
function nearestOf(verdict: Verdict): (Omit<RuleMiss, 'tests'> & FailedTest) | undefined {
  const [nearest] = nearOf(verdict);
  if (nearest === undefined) return undefined;
  const { tests, ...rule } = nearest;
  return { ...rule, ...tests[0] };
}

const FRONTEND = { podSelector: { matchLabels: { role: 'frontend' } } };

describe('the nearest rule', () => {
  const miss = (ask: Ask, from = 'shop/web', port = '8080') => nearestOf(ask(from, 'shop/api', port).ingress);

  it('names the label that differs', () => {
    expect(miss(shop({ ingress: [{ from: [FRONTEND] }] }))).toEqual({
      policy: { namespace: 'shop', name: 'p0' },
      direction: 'ingress',
      rule: 0,
      peer: 0,
      failed: 'pod',
      wanted: 'label role=frontend',
      got: 'role=front',
      key: 'role',
    });
  });

  it.each([
    [{ key: 'x', operator: 'Exists' }, 'label x', 'no label x'],
    [{ key: 'role', operator: 'DoesNotExist' }, 'no label role', 'role=front'],
    [{ key: 'role', operator: 'In', values: ['a', 'b'] }, 'label role in (a,b)', 'role=front'],
    [{ key: 'role', operator: 'NotIn', values: ['front'] }, 'label role notin (front)', 'role=front'],
  ])('says what %j wanted', (expression, wanted, got) => {
    const ask = shop({ ingress: [{ from: [{ podSelector: { matchExpressions: [expression] } }] }] });
    expect(miss(ask)).toMatchObject({ failed: 'pod', wanted, got });
  });

  it('names the namespace before the pod', () => {
    const ask = shop({ ingress: [{ from: [FRONTEND] }] });
    expect(miss(ask, 'other/web')).toMatchObject({
      failed: 'namespace',
      wanted: 'namespace shop',
      got: 'namespace other',
    });
    const byLabel = shop({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }] }] });
    expect(miss(byLabel, 'other/web')).toMatchObject({
      failed: 'namespace',
      wanted: 'namespace label team=blue',
      got: 'namespace other with team=red',
    });
  });

  it('says that an external address is no pod', () => {
    expect(miss(shop({ ingress: [{ from: [FRONTEND] }] }), '203.0.113.7')).toMatchObject({
      failed: 'pod',
      wanted: 'a pod with label role=frontend',
      got: 'no labels (203.0.113.7 is not a pod)',
    });
  });

  it('names the block, and the exception', () => {
    const ask = shop({ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }] });
    const wanted = '10.0.0.0/8 except 10.1.0.0/16';
    expect(miss(ask)).toMatchObject({
      failed: 'ipBlock',
      wanted,
      got: '10.1.2.3, in the exception 10.1.0.0/16',
    });
    expect(miss(ask, '203.0.113.7')).toMatchObject({ failed: 'ipBlock', wanted, got: '203.0.113.7' });
  });

  it('names ports and protocols', () => {
    const ports = (...list: object[]) => shop({ ingress: [{ ports: list }] });
    expect(miss(ports({ port: 80 }))).toMatchObject({ failed: 'port', wanted: 'TCP/80', got: 'TCP/8080' });
    expect(miss(ports({ port: 80, endPort: 90 }, { port: 53, protocol: 'UDP' }))).toMatchObject({
      failed: 'port',
      wanted: 'TCP/80-90',
    });
    expect(miss(ports({ protocol: 'UDP' }))).toMatchObject({
      failed: 'protocol',
      wanted: 'UDP on any port',
      got: 'TCP/8080',
    });
    expect(miss(ports({ port: 'http' }), 'shop/web', '80')).toMatchObject({
      wanted: 'TCP/http (8080)',
      got: 'TCP/80',
    });
    expect(miss(ports({ port: 'nope' }))).toMatchObject({ wanted: 'TCP/nope (no such port there)' });
    expect(miss(ports(...[1, 2, 3, 4, 5, 6].map((port) => ({ port }))))).toMatchObject({
      wanted: 'TCP/1, TCP/2, TCP/3, TCP/4, 2 more',
    });
  });

  it('is the one with the fewest failed tests, then the later test, then the first', () => {
    const twoWrong = { from: [FRONTEND], ports: [{ port: 80 }] };
    const podWrong = { from: [FRONTEND] };
    const portWrong = { from: [{ podSelector: {} }], ports: [{ port: 80 }] };
    expect(miss(shop({ ingress: [twoWrong, podWrong, portWrong] }))).toMatchObject({
      rule: 2,
      failed: 'port',
    });
    expect(miss(shop({ ingress: [twoWrong] }, { ingress: [podWrong, podWrong] }))).toMatchObject({
      policy: { name: 'p1' },
      rule: 0,
      failed: 'pod',
    });
    expect(miss(shop({ ingress: [twoWrong] }))).toMatchObject({ failed: 'pod' });
  });

  it('prefers a label with another value to a missing one', () => {
    const missing = { podSelector: { matchLabels: { x: 'y' } } };
    expect(miss(shop({ ingress: [{ from: [missing, FRONTEND] }] }))).toMatchObject({
      wanted: 'label role=frontend',
    });
  });

  it('is absent where there is no rule', () => {
    expect(miss(shop({}))).toBeUndefined();
  });
});

describe('the rules that came near', () => {
  const near = (ask: Ask, from = 'shop/web') => nearOf(ask(from, 'shop/api', '8080').ingress);

  it('are three at most, the nearest first, each with all that failed', () => {
    const twoWrong = { from: [FRONTEND], ports: [{ port: 80 }] };
    const podWrong = { from: [FRONTEND] };
    const portWrong = { from: [{ podSelector: {} }], ports: [{ port: 80 }] };
    const found = near(shop({ ingress: [twoWrong, podWrong, portWrong, twoWrong] }));
    expect(found.map(({ rule, tests }) => [rule, tests.map(({ failed }) => failed)])).toEqual([
      [2, ['port']],
      [1, ['pod']],
      [0, ['pod', 'port']],
    ]);
  });

  it('begin with what was most likely meant, by all that a table knows of the peer', () => {
    const other = { from: [{ podSelector: { matchLabels: { app: 'web', role: 'back' } } }] };
    // The peer has the value under another key, which no rule asks for.
    const slip = { from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/role': 'front' } } }] };
    const [first] = near(shop({ ingress: [other, slip] }));
    expect(first).toMatchObject({ rule: 1, tests: [{ meant: { kind: 'key', key: 'role' } }] });
  });

  it('know the name of a namespace, which is a label that nobody sets', () => {
    const byName = { namespaceSelector: { matchLabels: { name: 'other' } } };
    const [first] = near(shop({ ingress: [{ from: [byName] }] }), 'other/web');
    expect(first?.tests[0]).toMatchObject({ meant: { kind: 'key', key: 'kubernetes.io/metadata.name' } });
  });
});

describe('a verdict in one sentence', () => {
  const web = { address: '10.1.2.3', identity: { namespace: 'shop', name: 'web' } };
  const api = { address: '10.0.0.1', identity: { namespace: 'shop', name: 'api' } };
  const parties = { source: web, destination: api, protocol: 'TCP', port: 8080 } as const;

  it('explains a denial', () => {
    const verdict = shop({ ingress: [{ from: [FRONTEND] }] }, {})('shop/web', 'shop/api', '8080').ingress;
    expect(describeFlow(verdict, parties)).toBe(
      'shop/web -> shop/api TCP/8080 denied at ingress: isolated by shop/p0, shop/p1; ' +
        'nearest rule p0 ingress[0]: label role=frontend wanted, peer has role=front',
    );
  });

  it('explains a denied egress to an address', () => {
    const spec = { policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] };
    const verdict = shop(spec)('shop/api', '203.0.113.7', '443').egress;
    const flow = {
      source: api,
      destination: { address: '203.0.113.7' },
      protocol: 'TCP',
      port: 443,
    } as const;
    expect(describeFlow(verdict, flow)).toBe(
      'shop/api -> 203.0.113.7 TCP/443 denied at egress: isolated by shop/p0; ' +
        'nearest rule p0 egress[0]: 10.0.0.0/8 wanted, peer is 203.0.113.7',
    );
  });

  it('names the Service that was asked for, and says what it does not know', () => {
    const verdict: Verdict = { verdict: 'deny', direction: 'egress', reason: 'no-table' };
    const service = { namespace: 'shop', name: 'front' };
    expect(describeFlow(verdict, { ...parties, source: { address: '' }, service })).toBe(
      'an unknown address -> shop/api (Service shop/front) TCP/8080 denied at egress: no table has arrived yet',
    );
  });

  it('names eight policies and counts the others', () => {
    const verdict = shop(...Array.from({ length: 10 }, () => ({})))('shop/web', 'shop/api', '8080').ingress;
    expect(describeFlow(verdict, parties)).toMatch(/isolated by (shop\/p\d, ){7}shop\/p\d and 2 more$/);
  });

  it('names a ninth policy too where it is the last one', () => {
    const verdict = shop(...Array.from({ length: 9 }, () => ({})))('shop/web', 'shop/api', '8080').ingress;
    expect(describeFlow(verdict, parties)).toMatch(/isolated by (shop\/p\d, ){8}shop\/p\d$/);
  });

  it.each<[Verdict, string]>([
    [
      {
        verdict: 'allow',
        direction: 'ingress',
        reason: 'rule',
        policy: { namespace: 'shop', name: 'p' },
        rule: 2,
      },
      'allowed at ingress: rule shop/p ingress[2]',
    ],
    [
      { verdict: 'allow', direction: 'ingress', reason: 'not-isolated' },
      'allowed at ingress: no policy isolates the pod for ingress',
    ],
    [
      { verdict: 'allow', direction: 'ingress', reason: 'self' },
      'allowed at ingress: a pod always reaches itself',
    ],
    [
      { verdict: 'allow', direction: 'ingress', reason: 'own-node' },
      'allowed at ingress: traffic between a pod and its own node is always allowed',
    ],
    [
      { verdict: 'allow', direction: 'ingress', reason: 'not-a-pod' },
      'allowed at ingress: the destination is not a pod that policy can select',
    ],
    [
      { verdict: 'deny', direction: 'ingress', reason: 'no-table' },
      'denied at ingress: no table has arrived yet',
    ],
  ])('explains %j', (verdict, end) => {
    expect(describeFlow(verdict, parties)).toBe(`shop/web -> shop/api TCP/8080 ${end}`);
  });
});
