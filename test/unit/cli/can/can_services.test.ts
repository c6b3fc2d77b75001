/** A Service as the destination: its backends are judged, at the port that they have, and that verdict is the packets'. */
import { describe, expect, test } from 'vitest';
import type { Question } from '../../../../cli/can/answer.ts';
import { answerJson } from '../../../../cli/can/answer_json.ts';
import { answerLine } from '../../../../cli/can/answer_text.ts';
import { createAnswerer } from '../../../../cli/can/answerer.ts';
import { readManifests } from '../../../../sources/manifests.ts';
import { deployment, manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

type Manifest = Readonly<Record<string, unknown>>;

const VIRTUAL = '10.97.7.7';
const EXTERNAL = '198.51.100.7';

function service(name: string, spec: Manifest): Manifest {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 't' }, spec };
}

const DB_PORTS = [
  { name: 'redis', port: 80, targetPort: 6379 },
  { name: 'dns', port: 53, targetPort: 'dns', protocol: 'UDP' },
];

/** `web` may reach `db` and `db` lets only `web` in; both rules name the pod's port. */
const SHOP: readonly Manifest[] = [
  namespace('t'),
  pod('t/db', {
    labels: { app: 'db' },
    ip: '10.66.0.10',
    ports: [{ name: 'dns', containerPort: 5353, protocol: 'UDP' }],
  }),
  pod('t/web', { labels: { app: 'web' }, ip: '10.66.0.11' }),
  pod('t/bad', { labels: { app: 'bad' }, ip: '10.66.0.12' }),
  service('db', { clusterIP: VIRTUAL, externalIPs: [EXTERNAL], selector: { app: 'db' }, ports: DB_PORTS }),
  policy('t/db', {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
  }),
  policy('t/web-egress', {
    podSelector: { matchLabels: { app: 'web' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ port: 6379 }] }],
  }),
];

/** Asks about manifests; the answer's line begins with the verdict. */
async function ask(manifests: readonly Manifest[], question: Question) {
  const read = await readManifests([manifestDirectory(...manifests)]);
  expect(read.problems).toEqual([]);
  const answer = createAnswerer(read, { suggest: true }).answer(question);
  return { ...answer, line: `${answer.verdict}${answerLine(answer).trimEnd()}`, json: answerJson(answer) };
}

const fails = (manifests: readonly Manifest[], question: Question, code: string, message: RegExp) =>
  expect(ask(manifests, question)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

describe('a Service', () => {
  test.each([
    ['its cluster IP', { to: VIRTUAL, port: '80' }, `svc/db:80 (${VIRTUAL})`],
    ['its name', { to: 't/svc/db', port: '80' }, 'svc/db:80'],
    ['its name and port', { to: 't/service/db:80' }, 'svc/db:80'],
    ['its name and the name of its port', { to: 't/svc/db:redis' }, 'svc/db:80'],
  ])('by %s is what its pods are', async (_, to, name) => {
    const web = await ask(SHOP, { from: 't/web', ...to });
    expect(web.line).toBe(`allow: t/web -> t/${name} -> t/db TCP/6379`);
    const bad = await ask(SHOP, { from: 't/bad', ...to });
    expect(bad.line).toMatch(
      /^deny: t\/bad -> .* \(ingress: isolated by t\/db; nearest rule db ingress\[0\]: label app=web/,
    );
  });

  test("'s named port has its own protocol, and its pods their own number for it", async () => {
    const answer = await ask(SHOP, { from: 't/bad', to: 't/svc/db:dns' });
    expect(answer.line).toMatch(/^deny: t\/bad -> t\/svc\/db:53 -> t\/db UDP\/5353 /);
    expect(answer.json).toMatchObject({
      verdict: 'deny',
      service: {
        name: 't/db',
        port: 53,
        backends: [{ verdict: 'deny', port: 5353, used: true, destination: { pod: 't/db' } }],
      },
    });
  });

  test('of pods by its templates, where it has no pods', async () => {
    const manifests = [
      ...SHOP.slice(1, 4),
      deployment('t/api', { app: 'api' }, [{ name: 'http', containerPort: 8080 }]),
      service('api', {
        clusterIP: '10.97.7.8',
        selector: { app: 'api' },
        ports: [{ port: 80, targetPort: 'http' }],
      }),
      policy('t/api', { podSelector: { matchLabels: { app: 'api' } }, ingress: [{ ports: [{ port: 80 }] }] }),
    ];
    const answer = await ask(manifests, { from: 't/web', to: 't/svc/api:80' });
    expect(answer.line).toMatch(/^deny: t\/web -> t\/svc\/api:80 -> t\/deploy\/api \(template\) TCP\/8080 /);
    expect(answer.notes).toEqual(["80 is the Service's port: policies see the port of its pods, 8080"]);
  });

  test('has nothing to do with a broken workload that it does not select', async () => {
    const broken = deployment('t/broken', { app: 'broken' }, [{ name: 'http', containerPort: 0 }]);
    const question = { from: 't/bad', to: 't/svc/db:80' };
    expect((await ask([...SHOP, broken], question)).verdict).toBe('deny');
    const selected = deployment('t/broken', { app: 'db' }, [{ name: 'http', containerPort: 0 }]);
    await fails([...SHOP, selected], question, 'OBJECT_INVALID', /Deployment t\/broken, spec\.template/);
  });

  test('without a cluster IP stands for the addresses of its pods: nobody translates the port', async () => {
    const headless = service('db', { clusterIP: 'None', selector: { app: 'db' }, ports: DB_PORTS });
    const manifests = [...SHOP.slice(0, 4), headless, ...SHOP.slice(5)];
    expect((await ask(manifests, { from: 't/web', to: 't/svc/db:80' })).line).toMatch(
      /^deny: .* TCP\/80 \(egress/,
    );
  });

  test('at an external IP is judged by that address at the source, and by its pods at the other end', async () => {
    const web = await ask(SHOP, { from: 't/web', to: EXTERNAL, port: '80' });
    expect(web.line).toMatch(
      /^deny: t\/web -> t\/svc\/db:80 \(198\.51\.100\.7\) -> t\/db TCP\/6379 \(egress: /,
    );
    const bad = await ask(SHOP, { from: 't/bad', to: EXTERNAL, port: '80' });
    expect(bad.line).toMatch(/ \(ingress: isolated by t\/db/);
    expect(bad.notes).toEqual([expect.stringContaining('under its own address')]);
    // From outside no pod's egress is judged.
    const outside = await ask(SHOP, { from: '203.0.113.9', to: EXTERNAL, port: '80' });
    expect(outside.line).toMatch(/^deny: .* \(ingress: isolated by t\/db/);
  });

  test.each<[string, Question, string, RegExp]>([
    [
      'has no such port',
      { from: 't/web', to: VIRTUAL, port: '81' },
      'PORT_UNKNOWN',
      /^Service t\/db has no port 81\/TCP; its ports: 80\/TCP redis \(to 6379\), 53\/UDP dns/,
    ],
    [
      'has no port of this name',
      { from: 't/web', to: 't/svc/db:http' },
      'PORT_UNKNOWN',
      /has no port http\/TCP/,
    ],
    [
      'is not there',
      { from: 't/web', to: 't/svc/dbb:80' },
      'ENDPOINT_UNKNOWN',
      /no Service t\/dbb; did you mean t\/db\?/,
    ],
    [
      'opens no connections',
      { from: VIRTUAL, to: 't/web', port: '80' },
      'ENDPOINT_INVALID',
      /is Service t\/db, and a Service opens no connections/,
    ],
    ['is asked about without a port', { from: 't/web', to: 't/svc/db' }, 'PORT_INVALID', /needs a port/],
    [
      'is asked about with two',
      { from: 't/web', to: 't/svc/db:80', port: '80' },
      'PORT_INVALID',
      /one too many/,
    ],
  ])('that %s is an error', async (_, question, code, message) => {
    await fails(SHOP, question, code, message);
  });

  test.each([
    [
      'selects nothing',
      { selector: { app: 'none' } },
      /no ready backend .* \(its selector is app=none\): nodes refuse/,
    ],
    ['has no selector and no endpoints', {}, /\(it has no selector\)/],
  ])('that %s is an error: policy has nothing to judge', async (_, spec, message) => {
    const empty = service('e', { clusterIP: '10.97.7.9', ports: [{ port: 80 }], ...spec });
    await fails([...SHOP, empty], { from: 't/web', to: 't/svc/e:80' }, 'ENDPOINT_UNKNOWN', message);
  });
});

describe('an outside address', () => {
  const others = [
    service('api', {
      clusterIP: '10.97.7.8',
      externalIPs: [EXTERNAL, '192.0.2.1'],
      selector: { app: 'web' },
      ports: [{ port: 443 }],
    }),
  ];

  test('of several Services is the one that has the port', async () => {
    const api = await ask([...SHOP, ...others], { from: 't/bad', to: EXTERNAL, port: '443' });
    expect(api.line).toBe(`allow: t/bad -> t/svc/api:443 (${EXTERNAL}) -> t/web TCP/443`);
    const db = await ask([...SHOP, ...others], { from: 't/bad', to: EXTERNAL, port: '80' });
    expect(db.line).toMatch(/^deny: t\/bad -> t\/svc\/db:80 /);
    await fails([...SHOP, ...others], { from: 't/bad', to: EXTERNAL, port: '22' }, 'PORT_UNKNOWN', /t\/api/);
  });

  test("that is a node's too is a Service at that one's ports only", async () => {
    const ssh = await ask([...SHOP, ...others], { from: 't/bad', to: '192.0.2.1', port: '22' });
    expect(ssh.line).toBe('allow: t/bad -> 192.0.2.1 TCP/22');
    const from = await ask([...SHOP, ...others], { from: '192.0.2.1', to: 't/db', port: '6379' });
    expect(from.json.ingress.reason).toBe('own-node');
  });
});

describe('a port of the nodes', () => {
  const NODE = '192.0.2.1';
  const OTHER_NODE = '192.0.2.2';
  const OUTSIDE = '203.0.113.9';
  const node = (name: string, address: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: [{ type: 'InternalIP', address }] },
  });
  /** `db` and `web` live on the first node, `bad` on the other. */
  const withNodes = (spec: Manifest = {}): readonly Manifest[] => [
    ...SHOP.slice(0, 3),
    pod('t/bad', { labels: { app: 'bad' }, ip: '10.66.0.12', hostIP: OTHER_NODE }),
    ...SHOP.slice(5),
    node('one', NODE),
    node('two', OTHER_NODE),
    service('db', {
      type: 'NodePort',
      clusterIP: VIRTUAL,
      selector: { app: 'db' },
      ports: [{ port: 80, targetPort: 6379, nodePort: 30080 }],
      ...spec,
    }),
  ];
  const LOCAL = { externalTrafficPolicy: 'Local' };
  const at = (from: string, to: string) => ({ from, to, port: '30080' });

  test('is its Service, and shows its pods the node: they let in what their own node sends', async () => {
    const answer = await ask(withNodes(), at(OUTSIDE, NODE));
    expect(answer.line).toBe(`allow: ${OUTSIDE} -> t/svc/db:80 (node ${NODE}:30080) -> t/db TCP/6379`);
    expect(answer.json.ingress.reason).toBe('own-node');
    expect(answer.notes).toEqual([
      expect.stringMatching(
        /^externalTrafficPolicy is Cluster: the node .* under its own address, 192\.0\.2\.1/,
      ),
    ]);
    expect(answer).toMatchObject({ askedPort: 30080 });
    expect(answer.json.service).toMatchObject({ name: 't/db', address: NODE, port: 80, node_port: 30080 });
    // A policy that keeps the pod out by its labels meets the node's address too.
    expect((await ask(withNodes(), at('t/bad', NODE))).verdict).toBe('allow');
  });

  test('of another node than the pod is on is an address to its policies', async () => {
    const answer = await ask(withNodes(), at(OUTSIDE, OTHER_NODE));
    expect(answer.line).toMatch(/^deny: .* \(ingress: isolated by t\/db/);
    const block = policy('t/node', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ ipBlock: { cidr: `${OTHER_NODE}/32` } }] }],
    });
    expect((await ask([...withNodes(), block], at(OUTSIDE, OTHER_NODE))).verdict).toBe('allow');
  });

  test("is that address and that port to the source's egress policies", async () => {
    // web-egress admits db at 6379 only; the own node is never denied.
    const [web, elsewhere] = [at('t/web', NODE), at('t/web', OTHER_NODE)];
    expect((await ask(withNodes(), web)).json.egress.reason).toBe('own-node');
    expect((await ask(withNodes(), elsewhere)).line).toMatch(/ \(egress: isolated by t\/web-egress/);
  });

  test('with externalTrafficPolicy: Local keeps the source, and goes to pods of that node', async () => {
    const outside = await ask(withNodes(LOCAL), at(OUTSIDE, NODE));
    expect(outside.line).toMatch(/^deny: .* \(ingress: isolated by t\/db/);
    expect(outside.notes).toEqual([]);
    await fails(
      withNodes(LOCAL),
      at(OUTSIDE, OTHER_NODE),
      'ENDPOINT_UNKNOWN',
      /Local and no ready backend on node/,
    );
    // A pod of the cluster reaches them all, under its own address.
    expect((await ask(withNodes(LOCAL), at('t/bad', OTHER_NODE))).line).toMatch(
      /^deny: .* -> t\/db TCP\/6379/,
    );
  });

  test.each([
    ['of no Service', '30081'],
    ['of another protocol', '30080/UDP'],
  ])('%s is the node itself', async (_, port) => {
    const answer = await ask(withNodes(), { from: OUTSIDE, to: NODE, port });
    expect(answer.service).toBeUndefined();
    expect(answer.verdict).toBe('allow');
  });

  test("that a rule has in the place of the pods' is said", async () => {
    const rule = policy('t/db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ ports: [{ port: 30080 }] }],
    });
    const manifests = [...withNodes(LOCAL).filter((one) => one !== SHOP[5]), rule];
    expect((await ask(manifests, at(OUTSIDE, NODE))).notes).toEqual([
      "30080 is the Service's port: policies see the port of its pods, 6379",
    ]);
  });
});

describe('a Service with several backends', () => {
  /** Two behind one Service: `db` lets only `web` in, `open` everybody. */
  const mixed = (spec: Manifest = {}, ...more: readonly Manifest[]) => [
    ...SHOP,
    pod('t/open', { labels: { app: 'open', tier: 'data' }, ip: '10.66.0.20' }),
    pod('t/db2', { labels: { app: 'db', tier: 'data' }, ip: '10.66.0.21' }),
    service('data', {
      clusterIP: '10.97.7.20',
      selector: { tier: 'data' },
      ports: [{ port: 80, targetPort: 6379 }],
      ...spec,
    }),
    ...more,
  ];
  const question = (from: string) => ({ from, to: 't/svc/data:80' });

  test('is partly open where some let the source in: no verdict for all of them', async () => {
    const answer = await ask(mixed(), question('t/bad'));
    expect(answer.line).toMatch(
      /^partly: t\/bad -> t\/svc\/data:80 -> 1 of 2 backends TCP\/6379 \(ingress: /,
    );
    expect(answer.json.service?.backends.map(({ verdict }) => verdict).sort()).toEqual(['allow', 'deny']);
    expect(answer.json.ingress.verdict).toBe('deny');
  });

  test('is what the backends say that the source may send to, where egress is isolated', async () => {
    // web-egress admits db only, and its sidecar picks among those.
    const answer = await ask(mixed(), question('t/web'));
    expect(answer.line).toBe('allow: t/web -> t/svc/data:80 -> t/db2 TCP/6379');
    expect(answer.notes).toEqual([expect.stringContaining('deny 1 of 2 backends')]);
    expect(answer.json.service?.backends.filter(({ used }) => used)).toHaveLength(1);
  });

  test('with session affinity says that a client meets one of them', async () => {
    const answer = await ask(mixed({ sessionAffinity: 'ClientIP' }), question('t/bad'));
    expect(answer.verdict).toBe('partly');
    expect(answer.notes).toEqual([expect.stringContaining('stays with one backend')]);
  });

  test('is what they are at the address family of its address, and who has none of it is no backend', async () => {
    const six = 'fd00:97::20';
    const manifests = [
      ...mixed({ clusterIPs: ['10.97.7.20', six] }),
      pod('t/both', { labels: { tier: 'data', app: 'both' }, ips: ['10.66.0.22', 'fd00::22'] }),
      pod('t/asks', { ips: ['10.66.0.23', 'fd00::23'] }),
      policy('t/both', {
        podSelector: { matchLabels: { app: 'both' } },
        ingress: [{ from: [{ ipBlock: { cidr: 'fd00::/16' } }] }],
      }),
    ];
    const backendsAt = async (to: string) => {
      const { json } = await ask(manifests, { from: 't/asks', to, port: '80' });
      return (json.service?.backends ?? []).map(
        ({ verdict, destination }) => `${destination.pod} ${verdict}`,
      );
    };
    const four = ['t/both deny', 't/db2 deny', 't/open allow'];
    expect((await backendsAt('10.97.7.20')).sort()).toEqual(four);
    expect(await backendsAt(six)).toEqual(['t/both allow']);
    // By its name it is asked about at its first address.
    expect((await backendsAt('t/svc/data')).sort()).toEqual(four);
  });

  test('has those that its EndpointSlices say are ready, and no others', async () => {
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'data-1', namespace: 't', labels: { 'kubernetes.io/service-name': 'data' } },
      addressType: 'IPv4',
      ports: [{ port: 6380, protocol: 'TCP' }],
      endpoints: [
        { addresses: ['10.66.0.20'], conditions: { ready: true } },
        { addresses: ['192.0.2.80'] },
        { addresses: ['10.66.0.21'], conditions: { ready: false } },
      ],
    };
    const answer = await ask(mixed({}, slice), question('t/bad'));
    expect(answer.line).toBe('allow: t/bad -> t/svc/data:80 -> 2 of 2 backends TCP/6380');
    expect(answer.json.service?.backends.map(({ destination }) => destination.addresses)).toEqual([
      ['10.66.0.20'],
      ['192.0.2.80'],
    ]);
  });
});

describe('what is not known is said', () => {
  const RULE = [
    { namespaceSelector: { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['bad'] }] } },
  ];
  const pods = [pod('t/db', { ip: '10.66.0.10' }), pod('other/web', { ip: '10.66.0.11' })];

  test('labels of a namespace without a manifest, where rules ask for them', async () => {
    const rule = policy('t/db', { podSelector: {}, ingress: [{ from: RULE }] });
    const asked = { from: 'other/web', to: 't/db', port: '80' };
    const { verdict, notes, json } = await ask([...pods, rule], asked);
    expect(verdict).toBe('allow');
    expect(notes).toEqual(['no Namespace other was read: its labels are not known, and t/db asks for some']);
    expect(json.notes).toEqual(notes);
    expect((await ask([...pods, rule, namespace('other')], asked)).notes).toEqual([]);
    const byName = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } };
    const named = policy('t/db', { podSelector: {}, ingress: [{ from: [byName] }] });
    expect(await ask([...pods, named], asked)).toMatchObject({ verdict: 'allow', notes: [] });
  });

  test('that a pod has finished, by its name and by the address that it had', async () => {
    const done = pod('t/mig', { ip: '10.66.0.30', phase: 'Succeeded' });
    const byName = await ask([...pods, done], { from: 't/mig', to: 't/db', port: '80' });
    expect(byName.notes).toEqual([expect.stringMatching(/^t\/mig has finished \(Succeeded\): /)]);
    const byAddress = await ask([...pods, done], { from: '10.66.0.30', to: 't/db', port: '80' });
    expect(byAddress.notes).toEqual(['10.66.0.30 was the address of t/mig, which has finished']);
  });

  test('which replica of a workload is meant, where policies tell replicas apart', async () => {
    const sts = { ...deployment('t/sql', { app: 'sql' }), kind: 'StatefulSet' };
    const first = policy('t/first', {
      podSelector: { matchLabels: { 'apps.kubernetes.io/pod-index': '0' } },
    });
    const answer = await ask([...pods, sts, first], { from: 't/db', to: 't/sts/sql', port: '80' });
    expect(answer.verdict).toBe('deny');
    expect(answer.notes).toEqual([expect.stringContaining('apps.kubernetes.io/pod-index=0')]);
  });
});

test('the command line: a Service with its port needs no other, and notes are on stderr', async () => {
  const dir = manifestDirectory(...SHOP);
  const web = await runSluice(['can', 't/web', 'svc/db:redis', '-n', 't', '-f', dir]);
  expect(web).toEqual({ code: 0, stdout: 'allowed: t/web -> t/svc/db:80 -> t/db TCP/6379\n', stderr: '' });
  const dns = await runSluice(['can', 't/bad', 't/svc/db:53/UDP', '-f', dir, '-o', 'json']);
  expect(JSON.parse(dns.stdout)).toMatchObject({ to: 't/svc/db:53', port: 53, protocol: 'UDP' });
  const asked = JSON.stringify({ from: 't/bad', to: 't/svc/db:53/UDP' });
  const inBatch = await runSluice(['can', '--batch', '-', '-f', dir], `${asked}\n`);
  expect(JSON.parse(inBatch.stdout)).toMatchObject({ to: 't/svc/db:53/UDP', port: 53, protocol: 'UDP' });
  const both = JSON.stringify({ from: 't/bad', to: 't/svc/db:53/UDP', protocol: 'TCP' });
  const twice = await runSluice(['can', '--batch', '-', '-f', dir], `${both}\n`);
  expect(JSON.parse(twice.stdout)).toMatchObject({ error: "protocol is in to too, as 'UDP'" });
  const bad = await runSluice(['can', 't/bad', EXTERNAL, '80', '-f', dir, '--explain']);
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/^sluice: note: a node may send it on/);
  expect(bad.stdout).not.toContain('not a pod');
  const line = JSON.stringify({ from: 't/bad', to: 't/svc/db:redis', note: 1 });
  const batch = await runSluice(['can', '--batch', '-', '-f', dir], `${line}\n`);
  expect(JSON.parse(batch.stdout)).toMatchObject({ port: 80, protocol: 'TCP', verdict: 'deny', note: 1 });
});
