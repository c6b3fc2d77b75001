/** An egress-isolated pod and Services: policy is about the backends. */
import { expect, onTestFinished, test } from 'vitest';
import { describeStatus, labStatus } from '../../lab/status.ts';
import { type Manifest, namespace, node, pod, policy } from '../builders/manifests.ts';
import { patience, SILENCE, until, useLab } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const ONE = '10.1.1.10';
const TWO = '10.1.2.11';
const THREE = '10.1.2.14';
const VIRTUAL = '10.96.0.10';
const VIRTUAL_V6 = 'fd00:96::10';

const ports = [
  { name: 'web', protocol: 'TCP', port: 8000, targetPort: 80 },
  { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 },
  { name: 'sip', protocol: 'SCTP', port: 5060, targetPort: 5060 },
];

const packets = usePackets();

const service = (name: string, clusterIPs: readonly string[], spec: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name },
  spec: { clusterIP: clusterIPs[0], clusterIPs, ports, ...spec },
});

const slice = (of: string, addresses: readonly string[]): Manifest => {
  const v6 = addresses.some((address) => address.includes(':'));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'shop',
      name: `${of}-${v6 ? 'v6' : 'v4'}`,
      labels: { 'kubernetes.io/service-name': of },
    },
    addressType: v6 ? 'IPv6' : 'IPv4',
    ports: [
      { name: 'web', protocol: 'TCP', port: 80 },
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'sip', protocol: 'SCTP', port: 5060 },
    ],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
};

const reach = (...tiers: string[]) =>
  policy('shop/front-out', {
    podSelector: { matchLabels: { app: 'front' } },
    policyTypes: ['Egress'],
    egress: tiers.map((tier) => ({ to: [{ podSelector: { matchLabels: { tier } } }] })),
  });

const backend = (name: string, tier: string, ips: readonly string[], nodeNumber: number) =>
  pod(`shop/${name}`, { labels: { app: 'shop', tier }, ips, node: nodeNumber, ports: [80, 'UDP/53'] });

/** The cluster's name server, somewhere that no pod of this lab is. */
const NAME_SERVER = [service('kube-dns', ['10.96.0.53']), slice('kube-dns', ['10.9.0.2'])].map(
  (manifest): Manifest => ({
    ...manifest,
    metadata: { ...(manifest.metadata as object), namespace: 'kube-system' },
  }),
);

const net = useLab({
  objects: [
    node(1),
    node(2),
    namespace('shop'),
    backend('one', 'a', [ONE, 'fd00:1::10'], 1),
    backend('two', 'b', [TWO, 'fd00:1::11'], 2),
    backend('three', 'c', [THREE], 2),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    pod('shop/polite', {
      labels: { app: 'front' },
      ips: ['10.1.1.15'],
      annotations: { 'sluice.dev/deny': 'reset' },
    }),
    service('own', ['10.96.0.13']),
    slice('own', ['10.1.1.12']),
    service('shop', [VIRTUAL, VIRTUAL_V6]),
    slice('shop', [ONE, TWO]),
    slice('shop', ['fd00:1::10', 'fd00:1::11']),
    service('sticky', ['10.96.0.11'], { sessionAffinity: 'ClientIP' }),
    slice('sticky', [ONE, TWO]),
    service('empty', ['10.96.0.12']),
    ...NAME_SERVER,
    reach('a'),
  ],
});

/** How many new connections each backend has had since `before`. */
const accepted = () => ['one', 'two', 'three'].map((name) => net.accepted(`shop/${name}`).length);
async function connectTimes(count: number, address: string): Promise<readonly number[]> {
  const before = accepted();
  for (let turn = 0; turn < count; turn += 1) {
    expect(await net.connect('shop/front', address, 8000)).toMatchObject({ allowed: true });
  }
  return accepted().map((total, index) => total - (before[index] ?? 0));
}

const flowsOf = (name: string) => net.flows(name);

test.each([VIRTUAL, VIRTUAL_V6])(
  'of the backends of %s only those that policy allows are used, for TCP and UDP',
  async (address) => {
    expect(await connectTimes(6, address)).toEqual([6, 0, 0]);
    const seen = address.includes(':') ? 'fd00:1::12' : '10.1.1.12';
    for (let turn = 0; turn < 4; turn += 1) {
      expect(await net.datagram('shop/front', address, 53)).toMatchObject({
        allowed: true,
        seenAddress: seen,
      });
    }
  },
);

test('a record says which backend of a Service a connection went to', async () => {
  await connectTimes(1, VIRTUAL_V6);
  const ended = await until('it is recorded', async () =>
    (await flowsOf('shop/front')).find(({ dst }) => dst.virtual === `${VIRTUAL_V6} 8000`),
  );
  expect(ended).toMatchObject({
    direction: 'egress',
    verdict: 'allow',
    end: 'closed',
    policy: 'shop/front-out',
    dst: { addr: 'fd00:1::10', port: 80, pod: 'one', service: 'shop/shop' },
  });
});

test('where all backends are allowed, all are used', async () => {
  await net.apply(reach('a', 'b'));
  // By chance: that one of two is never taken in 24 times happens once in eight million runs.
  const counts = await connectTimes(24, VIRTUAL);
  expect(counts[0]).toBeGreaterThan(0);
  expect(counts[1]).toBeGreaterThan(0);
  await net.apply(reach('a'));
});

test('session affinity is one backend, again and again', async () => {
  await net.apply(reach('a', 'b'));
  const counts = await connectTimes(6, '10.96.0.11');
  expect([...counts].sort()).toEqual([0, 0, 6]);
  await net.apply(reach('a'));
});

test('no allowed backend: denied without a handshake, and the record names Service and backend', async () => {
  await net.apply(reach('nobody'));
  const denied = await net.connect('shop/front', VIRTUAL, 8000, SILENCE);
  expect(denied).toMatchObject({ connected: false, timedOut: true });
  expect(await net.datagram('shop/front', VIRTUAL, 53, SILENCE)).toMatchObject({ allowed: false });
  const denial = await until('it is recorded', async () =>
    (await flowsOf('shop/front')).find(
      (flow) => flow.dst.service === 'shop/shop' && flow.protocol === 'TCP' && flow.verdict === 'deny',
    ),
  );
  expect(denial).toMatchObject({
    direction: 'egress',
    end: 'dropped',
    isolating: ['shop/front-out'],
    dst: { addr: ONE, port: 80, pod: 'one', virtual: `${VIRTUAL} 8000` },
  });
  await net.apply(reach('a'));
});

test('no ready backend: denied, and the record blames the Service, not policy', async () => {
  expect(await net.connect('shop/front', '10.96.0.12', 8000, SILENCE)).toMatchObject({ connected: false });
  const denial = await until('it is recorded', async () =>
    (await flowsOf('shop/front')).find((flow) => flow.dst.addr === '10.96.0.12'),
  );
  expect(denial).toMatchObject({
    direction: 'egress',
    verdict: 'deny',
    reason: 'no-backend',
    end: 'dropped',
  });
  expect(denial).not.toHaveProperty('policy');
  expect(denial).not.toHaveProperty('explanation');
});

test('a block never means a virtual address', async () => {
  await net.apply(
    policy('shop/front-out', {
      podSelector: { matchLabels: { app: 'front' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: '10.96.0.0/16' } }] }],
    }),
  );
  expect(await net.connect('shop/front', VIRTUAL, 8000, SILENCE)).toMatchObject({ connected: false });
  expect(await net.datagram('shop/front', VIRTUAL, 53, SILENCE)).toMatchObject({ allowed: false });
  await net.apply(reach('a'));
});

const echo = { kind: 'echo', chunkBytes: 200, intervalMs: 100 } as const;

test('a change ends the live flows to backends that are no longer allowed, and no other', async () => {
  await net.apply(reach('a', 'b'));
  const before = accepted();
  await net.open('shop/front', { group: 'spread', count: 20, address: VIRTUAL, port: 8000, work: echo });
  // The kernel takes backends by chance.
  const total = accepted();
  const failed = (total[0] ?? 0) - (before[0] ?? 0);
  expect(failed).toBeGreaterThan(0);
  expect(failed).toBeLessThan(20);
  net.lab.writeObjects(reach('b'));
  await until('those to the other backend are over', async () => {
    const list = await net.report('shop/front', 'spread');
    return list.filter((flow) => flow.state === 'failed').length >= failed;
  });
  const records = (await flowsOf('shop/front')).filter((flow) => flow.end === 'policy-changed');
  expect(records.every((flow) => flow.dst.addr === ONE && flow.dst.service === 'shop/shop')).toBe(true);
  const finished = await net.finish('shop/front', 'spread');
  expect(finished.filter((flow) => flow.state === 'failed')).toHaveLength(failed);
  for (const flow of finished) if (flow.state === 'ended') expect(flow.receivedSha256).toBe(flow.sentSha256);
  await net.apply(reach('a'));
});

/** Sends from one UDP socket again and again, and counts answers, until the test is over. */
function udpFlow(address: string, port: number): { answers(): number } {
  const script = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', () => console.log('answer')).on('error', () => {});
    setInterval(() => socket.send('x', ${port}, '${address}'), 20);`;
  const child = net.lab.spawnIn('shop/front', [process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill());
  let answers = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    answers += chunk.toString().split('\n').length - 1;
  });
  return { answers: () => answers };
}

/** Which backends have seen datagrams of the front pod, by now. */
const udpSeen = () =>
  ['one', 'two', 'three'].map((name) =>
    net.appLog(`shop/${name}`).some(({ protocol, peer }) => protocol === 'UDP' && peer === '10.1.1.12'),
  );

test('a backend that goes away keeps its connections, which policy allows, and loses its datagrams', async () => {
  await net.apply(reach('a', 'b', 'c'), slice('shop', [ONE]));
  await net.open('shop/front', { group: 'old', count: 5, address: VIRTUAL, port: 8000, work: echo });
  const flow = udpFlow(VIRTUAL, 53);
  await until('datagrams are answered', () => flow.answers() > 3);
  expect(udpSeen()[2]).toBe(false);
  await net.apply(slice('shop', [THREE]));
  await until('the same flow goes to the new backend', () => udpSeen()[2]);
  const then = flow.answers();
  await until('and is answered', () => flow.answers() > then + 3);
  const moved = await until('the old one is recorded', async () =>
    (await flowsOf('shop/front')).find(
      ({ protocol, verdict, dst }) => protocol === 'UDP' && verdict === 'allow' && dst.addr === ONE,
    ),
  );
  expect(moved).toMatchObject({ end: 'closed', dst: { service: 'shop/shop', virtual: `${VIRTUAL} 53` } });
  for (const one of await net.finish('shop/front', 'old')) {
    expect(one).toMatchObject({ state: 'ended' });
    expect(one.receivedSha256).toBe(one.sentSha256);
  }
  await net.apply(slice('shop', [ONE, TWO]), reach('a'));
});

test('SCTP goes to allowed backends through the Service, and follows a change of policy', async () => {
  for (const name of ['one', 'two']) await packets.tool.serveSctp(net.lab, `shop/${name}`, [5060]);
  const expectAnswered = async (answered: boolean) => {
    const to = { source: '10.1.1.12', address: VIRTUAL, port: 5060, ...patience(answered) };
    expect(await packets.tool.probeSctp(net.lab, 'shop/front', to)).toBe(answered);
  };
  for (const tiers of [['a'], ['b'], ['a', 'b']]) {
    await net.apply(reach(...tiers));
    for (let turn = 0; turn < 3; turn += 1) await expectAnswered(true);
  }
  await net.apply(reach('c'));
  await expectAnswered(false);
  await net.apply(reach('a'));
});

test('an isolated pod reaches itself through a Service of its own', async () => {
  expect(await net.connect('shop/front', '10.96.0.13', 8000)).toMatchObject({ connected: true });
});

test('a pod that asks for resets gets one at once, through a Service too, and no handshake', async () => {
  for (const [address, port] of [
    [TWO, 80],
    ['10.96.0.12', 8000],
  ] as const) {
    const refused = await net.connect('shop/polite', address, port);
    expect(refused).toMatchObject({ connected: false, error: 'ECONNREFUSED' });
  }
  expect(await net.connect('shop/polite', VIRTUAL, 8000)).toMatchObject({ allowed: true });
});

test('Services that policy allows in part are reported, and no others', async () => {
  const reported = async () => {
    const { body } = await net.admin('shop/front', '/readyz');
    return (JSON.parse(body) as { services_partly_allowed: string[] }).services_partly_allowed;
  };
  expect(await reported()).toContain(`shop/shop ${VIRTUAL} UDP/53`);
  expect(await reported()).not.toContain('shop/own 10.96.0.13 UDP/53');
  expect((await net.admin('shop/front', '/metrics')).body).toMatch(/^sluice_services_partly_allowed [1-9]/m);
  const line = net.sidecarLog('shop/front').find(({ services }) => services !== undefined);
  expect(line?.services).toContain(`shop/shop ${VIRTUAL} UDP/53`);
  await net.apply(reach('a', 'b'));
  expect(await reported()).toEqual([]);
  await until('the metric follows', async () =>
    (await net.admin('shop/front', '/metrics')).body.includes('sluice_services_partly_allowed 0'),
  );
  await net.apply(reach('a'));
});

test('a sidecar that is killed and comes back leaves connections to Services alone', async () => {
  await net.open('shop/front', { group: 'through', count: 10, address: VIRTUAL, port: 8000, work: echo });
  await net.lab.stopProcess('shop/front', 'sidecar', 'SIGKILL');
  await net.lab.startSidecar('shop/front', { redirect: false });
  await net.lab.waitEnforced();
  expect(await connectTimes(2, VIRTUAL)).toEqual([2, 0, 0]);
  for (const one of await net.finish('shop/front', 'through')) {
    expect(one).toMatchObject({ state: 'ended' });
    expect(one.receivedSha256).toBe(one.sentSha256);
  }
});

test('endpoints that come and go are followed', async () => {
  await net.apply(reach('a', 'b', 'c'), slice('shop', [THREE]));
  expect(await connectTimes(4, VIRTUAL)).toEqual([0, 0, 4]);
  await net.apply(slice('shop', [ONE, TWO]), reach('a'));
  expect(await connectTimes(3, VIRTUAL)).toEqual([3, 0, 0]);
});

test('DNS through its Service, allowed by selector, works over UDP and TCP', async () => {
  await net.apply(
    policy('shop/front-out', {
      podSelector: { matchLabels: { app: 'front' } },
      policyTypes: ['Egress'],
      egress: [
        {
          to: [{ podSelector: { matchLabels: { tier: 'b' } } }],
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 80 },
          ],
        },
      ],
    }),
  );
  for (const address of [VIRTUAL, VIRTUAL_V6]) {
    expect(await net.datagram('shop/front', address, 53)).toMatchObject({ allowed: true });
    expect(await net.connect('shop/front', address, 8000)).toMatchObject({ allowed: true });
  }
  await net.apply(reach('a'));
});

test('isolation that forgets DNS is said in the log, in /readyz and in the status of the lab', async () => {
  const warning =
    'egress is isolated by shop/front-out, and no rule admits DNS, which is kube-system/kube-dns (10.9.0.2 UDP/53): names do not resolve';
  const forgetful = policy('shop/front-out', {
    podSelector: { matchLabels: { app: 'front' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: {} }] }],
  });
  await net.apply(forgetful);
  const logged = await until('it is logged', () =>
    net
      .sidecarLog('shop/front')
      .find((line) => line.msg === 'egress without DNS' && line.warning === warning),
  );
  expect(logged).toMatchObject({ warning });
  expect(JSON.parse((await net.admin('shop/front', '/readyz')).body).warnings).toEqual([warning]);
  const { pods } = await labStatus(net.lab.name);
  expect(pods.find(({ pod }) => pod === 'shop/front')?.warnings).toEqual([warning]);
  expect(describeStatus(await labStatus(net.lab.name))).toContain(`\nwarning: pod shop/front: ${warning}\n`);
  await net.apply(reach('a'));
});
