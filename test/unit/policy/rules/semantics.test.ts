/** What NetworkPolicy means, point by point where it is easy to get wrong. Every flow is asked both ways. */

import { describe, expect, it } from 'vitest';
import {
  type ApiCluster,
  type ApiPeer,
  type ApiPolicy,
  type ApiPort,
  apiNamespace,
  apiNode,
  apiPod,
  apiPolicy,
} from '../../../builders/api_objects.ts';
import { type Ask, flowsOf } from '../flow_question.ts';

const HTTP = [
  { name: 'http', containerPort: 8080 },
  { name: 'dns', containerPort: 53, protocol: 'UDP' },
];

/** Two namespaces: api, web and db in shop, web in other; each on its own node address. */
const PODS = [
  apiPod('shop/api', {
    labels: { app: 'api' },
    ips: ['10.0.0.1', 'fd00::1'],
    ports: HTTP,
    hostIP: '192.168.0.1',
  }),
  apiPod('shop/web', {
    labels: { app: 'web', tier: '' },
    ips: ['10.0.0.2', 'fd00::2'],
    hostIP: '192.168.0.2',
  }),
  apiPod('shop/db', {
    labels: { app: 'db' },
    ips: ['10.0.0.3'],
    ports: [{ name: 'http', containerPort: 90 }],
  }),
  apiPod('other/web', { labels: { app: 'web' }, ips: ['10.0.1.2'] }),
];

function shop(spec: ApiPolicy['spec'], more: Partial<ApiCluster> = {}): Ask {
  const namespaces = [apiNamespace('shop'), apiNamespace('other', { team: 'red' })];
  return flowsOf({
    namespaces,
    pods: PODS,
    ...more,
    policies: [apiPolicy('shop/p', spec), ...(more.policies ?? [])],
  });
}

const API = { matchLabels: { app: 'api' } };

function ingressFrom(...from: ApiPeer[]): Ask {
  return shop({ podSelector: API, ingress: [{ from }] });
}

/** Who reaches shop/api on a port, out of the other pods and an external address. */
function reaching(ask: Ask, port = '8080'): string[] {
  return ['shop/web', 'shop/db', 'other/web', '203.0.113.7'].filter(
    (from) => ask(from, 'shop/api', port).verdict === 'allow',
  );
}

const EVERYONE = ['shop/web', 'shop/db', 'other/web', '203.0.113.7'];

describe('1. policyTypes', () => {
  const directions = (spec: ApiPolicy['spec']) => {
    const ask = shop({ podSelector: API, ...spec });
    const denied = [];
    if (ask('shop/web', 'shop/api', '1').ingress.verdict === 'deny') denied.push('ingress');
    if (ask('shop/api', 'shop/web', '1').egress.verdict === 'deny') denied.push('egress');
    return denied;
  };

  it('absent or empty is Ingress, and Egress only with an egress rule', () => {
    expect(directions({})).toEqual(['ingress']);
    expect(directions({ policyTypes: [] })).toEqual(['ingress']);
    expect(directions({ policyTypes: null, egress: [] })).toEqual(['ingress']);
    expect(directions({ egress: [{ ports: [{ port: 2 }] }] })).toEqual(['ingress', 'egress']);
  });

  it('rules of an unlisted type do not isolate', () => {
    expect(directions({ policyTypes: ['Egress'], ingress: [{ ports: [{ port: 2 }] }] })).toEqual(['egress']);
    expect(directions({ policyTypes: ['Ingress'], egress: [{ ports: [{ port: 2 }] }] })).toEqual(['ingress']);
  });

  it('listed without rules denies all', () => {
    expect(directions({ policyTypes: ['Ingress', 'Egress'] })).toEqual(['ingress', 'egress']);
  });
});

describe('2. absent, null and empty lists', () => {
  it.each([undefined, null, []])('no rules (%j) allow nothing', (ingress) => {
    expect(reaching(shop({ podSelector: API, ...(ingress === undefined ? {} : { ingress }) }))).toEqual([]);
  });

  it('one empty rule allows everything', () => {
    expect(reaching(shop({ podSelector: API, ingress: [{}] }))).toEqual(EVERYONE);
  });

  it.each([undefined, null, []])('no peers and ports (%j) restrict nothing', (none) => {
    const rule = none === undefined ? {} : { from: none, ports: none };
    expect(reaching(shop({ podSelector: API, ingress: [rule] }), '53/UDP')).toEqual(EVERYONE);
  });

  it('an empty port item is every TCP port', () => {
    const ask = shop({ podSelector: API, ingress: [{ ports: [{}] }] });
    expect(reaching(ask, '12345')).toEqual(EVERYONE);
    expect(reaching(ask, '12345/UDP')).toEqual([]);
  });

  it('an absent podSelector selects the whole namespace, and no other', () => {
    const ask = shop({});
    expect(ask('other/web', 'shop/db', '1').verdict).toBe('deny');
    expect(ask('shop/db', 'other/web', '1').verdict).toBe('allow');
  });
});

describe('3. peers', () => {
  it('an empty podSelector is the namespace of the policy', () => {
    expect(reaching(ingressFrom({ podSelector: {} }))).toEqual(['shop/web', 'shop/db']);
  });

  it('an empty namespaceSelector is every pod, but no external host and no node', () => {
    const ask = ingressFrom({ namespaceSelector: {} });
    expect(reaching(ask)).toEqual(['shop/web', 'shop/db', 'other/web']);
    expect(ask('192.168.0.2', 'shop/api', '8080').verdict).toBe('deny');
  });

  it('both selectors in one item are and-ed, two items are or-ed', () => {
    const red = { namespaceSelector: { matchLabels: { team: 'red' } } };
    const db = { podSelector: { matchLabels: { app: 'db' } } };
    expect(reaching(ingressFrom({ ...red, ...db }))).toEqual([]);
    expect(reaching(ingressFrom({ ...red, podSelector: { matchLabels: { app: 'web' } } }))).toEqual([
      'other/web',
    ]);
    expect(reaching(ingressFrom(red, db))).toEqual(['shop/db', 'other/web']);
  });

  it('a null podSelector beside a namespaceSelector selects all of its pods', () => {
    expect(reaching(ingressFrom({ podSelector: null, namespaceSelector: {} }))).toHaveLength(3);
  });

  it('peers and ports of different rules do not combine', () => {
    const ask = shop({
      podSelector: API,
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 80 }] },
        { from: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ port: 81 }] },
      ],
    });
    expect(reaching(ask, '80')).toEqual(['shop/web']);
    expect(reaching(ask, '81')).toEqual(['shop/db']);
  });

  it('policies add up', () => {
    const more = apiPolicy('shop/q', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] });
    const ask = shop({ podSelector: API }, { policies: [more] });
    expect(reaching(ask)).toEqual(['shop/web', 'shop/db', 'other/web']);
    expect(ask('203.0.113.7', 'shop/api', '1').ingress).toMatchObject({
      isolating: [{ name: 'p' }, { name: 'q' }],
    });
  });

  it('a namespace known from its pods only has its name as a label', () => {
    const byName = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } };
    const ask = shop({ podSelector: API, ingress: [{ from: [byName] }] }, { namespaces: [] });
    expect(reaching(ask)).toEqual(['other/web']);
  });
});

describe('4. label selectors', () => {
  const matching = (selector: NonNullable<ApiPeer['podSelector']>) =>
    reaching(ingressFrom({ podSelector: selector }));
  const expression = (key: string, operator: string, values?: string[]) =>
    matching({ matchExpressions: [{ key, operator, ...(values && { values }) }] });

  it('NotIn and DoesNotExist match a missing key', () => {
    expect(expression('tier', 'NotIn', ['x'])).toEqual(['shop/web', 'shop/db']);
    expect(expression('tier', 'NotIn', [''])).toEqual(['shop/db']);
    expect(expression('tier', 'DoesNotExist')).toEqual(['shop/db']);
  });

  it('In and Exists need the key', () => {
    expect(expression('app', 'In', ['db', 'x'])).toEqual(['shop/db']);
    expect(expression('tier', 'In', [''])).toEqual(['shop/web']);
    expect(expression('tier', 'Exists')).toEqual(['shop/web']);
  });

  it('an empty value needs the key present', () => {
    expect(matching({ matchLabels: { tier: '' } })).toEqual(['shop/web']);
    expect(matching({ matchLabels: { missing: '' } })).toEqual([]);
  });

  it('what every object inherits is no label', () => {
    expect(expression('constructor', 'Exists')).toEqual([]);
    expect(expression('toString', 'DoesNotExist')).toEqual(['shop/web', 'shop/db']);
  });
});

describe('5. ports', () => {
  const onPorts = (...ports: ApiPort[]) => shop({ podSelector: {}, ingress: [{ ports }] });
  const open = (ask: Ask, to: string, port: string) => ask('other/web', to, port).verdict === 'allow';

  it('a name is what the destination pod calls so', () => {
    const ask = onPorts({ port: 'http' });
    expect([open(ask, 'shop/api', '8080'), open(ask, 'shop/api', '90')]).toEqual([true, false]);
    expect([open(ask, 'shop/db', '8080'), open(ask, 'shop/db', '90')]).toEqual([false, true]);
  });

  it('a name needs its protocol', () => {
    const ask = onPorts({ port: 'dns' });
    expect(open(ask, 'shop/api', '53/UDP')).toBe(false);
    expect(open(onPorts({ port: 'dns', protocol: 'UDP' }), 'shop/api', '53/UDP')).toBe(true);
  });

  it('a name resolves on the peer for egress, and an external address has none', () => {
    const ask = shop({
      podSelector: { matchLabels: { app: 'web' } },
      egress: [{ ports: [{ port: 'http' }] }],
    });
    expect(ask('shop/web', 'shop/api', '8080').verdict).toBe('allow');
    expect(ask('shop/web', 'shop/db', '90').verdict).toBe('allow');
    expect(ask('shop/web', 'shop/db', '8080').verdict).toBe('deny');
    expect(ask('shop/web', '203.0.113.7', '8080').verdict).toBe('deny');
  });

  it('a name that nothing has opens nothing, and still isolates', () => {
    const ask = onPorts({ port: 'missing' });
    expect(ask('other/web', 'shop/api', '8080').ingress).toMatchObject({
      reason: 'no-rule',
      isolating: [{ name: 'p' }],
    });
  });

  it('endPort is inclusive', () => {
    const ask = onPorts({ port: 80, endPort: 82 });
    expect(['79', '80', '81', '82', '83'].filter((port) => open(ask, 'shop/api', port))).toEqual([
      '80',
      '81',
      '82',
    ]);
  });

  it('a port is of one protocol, TCP where none is given', () => {
    for (const protocol of ['TCP', 'UDP', 'SCTP']) {
      const ask = onPorts(protocol === 'TCP' ? { port: 80 } : { port: 80, protocol });
      const opened = ['TCP', 'UDP', 'SCTP'].filter((other) => open(ask, 'shop/api', `80/${other}`));
      expect(opened).toEqual([protocol]);
    }
  });
});

describe('6. ipBlock', () => {
  it('matches the addresses of pods as well', () => {
    expect(reaching(ingressFrom({ ipBlock: { cidr: '10.0.0.0/23' } }))).toEqual([
      'shop/web',
      'shop/db',
      'other/web',
    ]);
  });

  it('never matches across families', () => {
    const ask = ingressFrom({ ipBlock: { cidr: '::/0' } });
    expect(reaching(ask)).toEqual([]);
    expect(ask('fd00::2', 'fd00::1', '1').verdict).toBe('allow');
  });

  it('takes a v4-mapped address for the IPv4 address it is', () => {
    const ask = ingressFrom({ ipBlock: { cidr: '203.0.113.0/24' } });
    expect(ask('::ffff:203.0.113.7', 'shop/api', '1').verdict).toBe('allow');
    expect(ask('::ffff:10.0.0.2', 'shop/api', '1').ingress).toMatchObject({
      near: [{ tests: [{ got: '10.0.0.2' }] }],
    });
  });

  it('has exceptions, which deny nothing elsewhere', () => {
    const block = { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.2/32'] } };
    expect(reaching(ingressFrom(block))).toEqual(['shop/db', 'other/web']);
    expect(reaching(ingressFrom(block, { podSelector: {} }))).toEqual(['shop/web', 'shop/db', 'other/web']);
  });

  it('has exceptions of its own, also where another item has the same cidr', () => {
    const block = (except: string[]) => ({ ipBlock: { cidr: '10.0.0.0/8', except } });
    expect(reaching(ingressFrom(block(['10.0.0.2/32']), block(['10.0.0.3/32'])))).toHaveLength(3);
    expect(reaching(ingressFrom(block(['10.0.0.2/31']), block(['10.0.0.3/32'])))).toEqual([
      'shop/web',
      'other/web',
    ]);
  });

  it('is asked with the family that both pods have', () => {
    const ask = ingressFrom({ ipBlock: { cidr: '10.0.0.0/8' } });
    expect(ask('shop/web', 'shop/api', '1').verdict).toBe('allow');
    const pods = [...PODS, apiPod('shop/six', { ips: ['fd00::6'] })];
    const withSix = shop(
      { podSelector: API, ingress: [{ from: [{ ipBlock: { cidr: 'fd00::/8' } }] }] },
      { pods },
    );
    expect(withSix('shop/six', 'shop/api', '1').verdict).toBe('allow');
    expect(withSix('shop/web', 'shop/api', '1').verdict).toBe('deny');
  });

  it('has its host bits masked', () => {
    expect(reaching(ingressFrom({ ipBlock: { cidr: '203.0.113.99/24' } }))).toEqual(['203.0.113.7']);
  });
});

describe('7. both ends', () => {
  it('a flow needs egress at the source and ingress at the destination', () => {
    const denyEgress = apiPolicy('other/deny', { policyTypes: ['Egress'] });
    const ask = shop({ podSelector: API, ingress: [{}] }, { policies: [denyEgress] });
    expect(ask('other/web', 'shop/api', '1')).toMatchObject({
      verdict: 'deny',
      egress: { verdict: 'deny' },
      ingress: { verdict: 'allow', reason: 'rule', policy: { namespace: 'shop', name: 'p' }, rule: 0 },
    });
    expect(ask('shop/api', 'other/web', '1').verdict).toBe('allow');
  });

  it('external addresses are not judged', () => {
    const ask = shop({ podSelector: API, policyTypes: ['Ingress', 'Egress'] });
    expect(ask('203.0.113.7', 'shop/api', '1').egress).toMatchObject({ reason: 'not-a-pod' });
    expect(ask('shop/api', '203.0.113.7', '1').ingress).toMatchObject({ reason: 'not-a-pod' });
  });
});

describe('8. the pod itself', () => {
  it.each(['shop/api', '10.0.0.1', 'fd00::1', '127.0.0.1', '127.9.9.9', '::1'])(
    'reaches itself as %s',
    (address) => {
      const ask = shop({ podSelector: API, policyTypes: ['Ingress', 'Egress'] });
      expect(ask('shop/api', address, '1').egress).toMatchObject({ verdict: 'allow', reason: 'self' });
      expect(ask(address, 'shop/api', '1').ingress).toMatchObject({ verdict: 'allow', reason: 'self' });
    },
  );
});

describe('9. nodes', () => {
  it('reach their own pods and no others', () => {
    const ask = shop({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    expect(ask('192.168.0.1', 'shop/api', '1').ingress).toMatchObject({ reason: 'own-node' });
    expect(ask('shop/api', '192.168.0.1', '1').egress).toMatchObject({ reason: 'own-node' });
    expect(ask('192.168.0.2', 'shop/api', '1').verdict).toBe('deny');
  });

  it('have all the addresses that the Node object says', () => {
    const pods = [apiPod('shop/api', { ips: ['10.0.0.1'], nodeName: 'n1' })];
    const ask = shop(
      {},
      { pods, nodes: [apiNode('n1', '192.168.0.1', 'fc00::1'), apiNode('n2', '192.168.0.2')] },
    );
    expect(ask('192.168.0.1', 'shop/api', '1').verdict).toBe('allow');
    expect(ask('fc00::1', 'shop/api', '1').verdict).toBe('allow');
    expect(ask('192.168.0.2', 'shop/api', '1').verdict).toBe('deny');
  });
});

describe('10. pods that are not', () => {
  it('host-network pods are their node: neither isolated nor selected', () => {
    const agent = apiPod('shop/agent', { ips: ['192.168.0.2'], hostIP: '192.168.0.2', hostNetwork: true });
    const ask = shop({ ingress: [{ from: [{ podSelector: {} }] }] }, { pods: [...PODS, agent] });
    expect(ask('other/web', 'shop/agent', '1').ingress).toMatchObject({ reason: 'not-a-pod' });
    expect(ask('shop/agent', 'shop/api', '1').verdict).toBe('deny');
    expect(ask('shop/agent', 'shop/web', '1').ingress).toMatchObject({ reason: 'own-node' });
    const byAddress = shop(
      { ingress: [{ from: [{ ipBlock: { cidr: '192.168.0.2/32' } }] }] },
      { pods: [...PODS, agent] },
    );
    expect(byAddress('shop/agent', 'shop/api', '1').verdict).toBe('allow');
  });

  it('host-network pods without a status use the addresses that the Node object says', () => {
    const agent = apiPod('shop/agent', { nodeName: 'n1', hostNetwork: true });
    const near = apiPod('shop/near', { ips: ['10.0.0.8'], nodeName: 'n1' });
    const far = apiPod('shop/far', { ips: ['10.0.0.9'], nodeName: 'n2' });
    const ask = shop({}, { pods: [agent, near, far], nodes: [apiNode('n1', '192.168.0.1')] });
    expect(ask('shop/agent', 'shop/near', '1').ingress).toMatchObject({ reason: 'own-node' });
    expect(ask('shop/agent', 'shop/far', '1').verdict).toBe('deny');
  });

  it.each(['Succeeded', 'Failed'])('%s pods own no address', (phase) => {
    const job = apiPod('shop/job', { labels: { app: 'job' }, ips: ['10.0.0.9'], phase });
    const ask = shop(
      { podSelector: API, ingress: [{ from: [{ podSelector: {} }] }] },
      { pods: [...PODS, job] },
    );
    expect(ask('10.0.0.9', 'shop/api', '1').verdict).toBe('deny');
  });

  it.each([
    ['finished', { phase: 'Succeeded' }],
    ['older', { createdAt: '2024-01-01T00:00:00Z' }],
  ])('a reused address has the rights of its new pod only, the old one being %s', (_, options) => {
    const old = apiPod('shop/old', { labels: { app: 'friend' }, ips: ['10.0.0.9'], ...options });
    const next = apiPod('other/new', {
      labels: { app: 'stranger' },
      ips: ['10.0.0.9'],
      createdAt: '2024-01-01T00:00:01Z',
    });
    const friends = { from: [{ podSelector: { matchLabels: { app: 'friend' } } }] };
    for (const pods of [
      [old, next],
      [next, old],
    ]) {
      const ask = shop({ podSelector: API, ingress: [friends] }, { pods: [...PODS, ...pods] });
      expect(ask('10.0.0.9', 'shop/api', '1').verdict).toBe('deny');
      expect(ask('shop/api', '10.0.0.9', '1').ingress).toMatchObject({ reason: 'not-isolated' });
    }
  });

  it('of two pods of one age the greater key owns the address', () => {
    const pods = ['shop/x', 'shop/y'].map((key) =>
      apiPod(key, { labels: { app: key.slice(-1) }, ips: ['10.0.0.9'] }),
    );
    for (const order of [pods, pods.toReversed()]) {
      const ask = shop({ podSelector: { matchLabels: { app: 'y' } } }, { pods: [...PODS, ...order] });
      expect(ask('shop/web', '10.0.0.9', '1').ingress).toMatchObject({ reason: 'no-rule' });
    }
  });
});

describe('13. pods without an address', () => {
  it('are isolated and judged by selectors', () => {
    const fresh = apiPod('shop/fresh', { labels: { app: 'web' } });
    const ask = shop(
      { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }] },
      { pods: [...PODS, fresh] },
    );
    expect(ask('shop/fresh', 'shop/api', '1').verdict).toBe('allow');
    expect(ask('shop/web', 'shop/fresh', '1').verdict).toBe('allow');
    expect(ask('other/web', 'shop/fresh', '1').verdict).toBe('deny');
  });
});
