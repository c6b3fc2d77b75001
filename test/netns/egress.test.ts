/** What a pod may reach, on real packets. How soon flows follow a change is in `egress_delays.test.ts`. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import {
  API,
  API_V6,
  DB,
  DB_V6,
  expectUntouched,
  hold,
  reach,
  useEgressLab,
  WORLD,
} from './egress_cluster.ts';
import { type Patience, SILENCE, until } from './harness.ts';

const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');

const net = useEgressLab();

const fromFront = (address: string, port = 80, options: Partial<Patience> = {}) =>
  net.connect('shop/front', address, port, options);

async function expectBlocked(address: string, port = 80): Promise<void> {
  const result = await fromFront(address, port, SILENCE);
  expect(result).toMatchObject({ allowed: false, connected: false, timedOut: true });
}

const flowsOf = (pod: string) => net.flows(pod);

test.each([
  [API, DB, '10.1.1.12'],
  [API_V6, DB_V6, 'fd00:1::12'],
])(
  'an isolated pod reaches %s, which a rule allows, and not %s; the peer sees the pod itself',
  async (allowed, denied, self) => {
    expect(await fromFront(allowed)).toMatchObject({ allowed: true, seenAddress: self });
    expect(await net.datagram('shop/front', allowed, 53)).toMatchObject({ allowed: true, seenAddress: self });
    await expectBlocked(denied);
    expect(await net.datagram('shop/front', denied, 53, SILENCE)).toMatchObject({ allowed: false });
  },
);

test('a denial is recorded at the source', async () => {
  await fromFront(DB, 80, SILENCE);
  const denial = await until('it is recorded', async () =>
    (await flowsOf('shop/front')).find(
      (flow) => flow.direction === 'egress' && flow.protocol === 'TCP' && flow.dst.addr === DB,
    ),
  );
  expect(denial).toMatchObject({
    verdict: 'deny',
    end: 'dropped',
    isolating: ['shop/front-out'],
    src: { pod: 'front' },
    dst: { pod: 'db', port: 80 },
  });
  expect(denial.explanation).toContain(
    'shop/front -> shop/db TCP/80 denied at egress: isolated by shop/front-out; nearest rule front-out egress[0]: ',
  );
});

/** Records of a pod's own flows to a port that were allowed. */
const endedTo = async (pod: string, address: string, port: number) =>
  (await flowsOf(pod)).filter(
    ({ direction, verdict, dst }) =>
      direction === 'egress' && verdict === 'allow' && dst.addr === address && dst.port === port,
  );

test.each([API, API_V6])('an allowed connection to %s is recorded when it ends, once', async (address) => {
  await hold(net, 'long', 3, address);
  await hold(net, 'reset', 2, address);
  const before = (await endedTo('shop/front', address, 80)).length;
  const locals = (await net.resetFlows('shop/front', 'reset')).length;
  const [reset] = await until('the resets are recorded', async () => {
    const found = (await endedTo('shop/front', address, 80)).slice(before);
    return found.length === locals && found;
  });
  expect(reset).toMatchObject({
    end: 'reset',
    policy: 'shop/front-out',
    rule: 0,
    reason: 'rule',
    src: { pod: 'front' },
    dst: { pod: 'api', port: 80 },
  });
  expect(reset?.src.port).toBeGreaterThan(0);
  await net.finish('shop/front', 'long');
  const ended = await until('those that were closed, too', async () => {
    const found = (await endedTo('shop/front', address, 80)).slice(before + locals);
    return found.length >= 3 && found;
  });
  expect(ended.map(({ end }) => end)).toEqual(['closed', 'closed', 'closed']);
});

const sysctl = (where: string, ...settings: readonly string[]) =>
  run(inNetns(net.lab.netns(where), ['sysctl', '-n', ...settings]));

const ACCOUNTING = 'net.netfilter.nf_conntrack_acct';

/** The one record of a flow to this port since there were `before`. */
const recordedSince = async (before: number, address: string, port: number) => {
  const [ended] = await until('it is recorded', async () => {
    const found = (await endedTo('shop/front', address, port)).slice(before);
    return found.length === 1 && found;
  });
  return ended;
};

test('the gate has connection tracking count bytes in its pod, not elsewhere', async () => {
  expect(await sysctl('outside', ACCOUNTING)).toBe('0\n');
  expect(await sysctl('shop/front', ACCOUNTING)).toBe('1\n');
});

test.each([API, API_V6])('the record of a TCP flow to %s has its bytes, with headers', async (address) => {
  const before = (await endedTo('shop/front', address, 8080)).length;
  await net.apply(reach(['api'], {}));
  expect(await net.connect('shop/front', address, 8080, { send: `${'x'.repeat(1000)}\n` })).toMatchObject({
    allowed: true,
  });
  const ended = await recordedSince(before, address, 8080);
  expect(ended?.bytes_recv).toBeGreaterThan(1000);
  expect(ended?.bytes_recv).toBeLessThan(2000);
  expect(ended?.bytes_sent).toBeGreaterThan(0);
  await net.apply(reach(['api']));
});

test.each([API, API_V6])('so has that of a UDP flow to %s', async (address) => {
  const timeouts = ['', '_stream'].map((kind) => `net.netfilter.nf_conntrack_udp_timeout${kind}`);
  const usual = (await sysctl('shop/front', ...timeouts)).trim().split('\n');
  const setTo = (seconds: readonly string[]) =>
    sysctl('shop/front', '-w', ...timeouts.map((name, index) => `${name}=${seconds[index]}`));
  onTestFinished(async () => void (await setTo(usual)));
  await setTo(['1', '1']);
  const before = (await endedTo('shop/front', address, 53)).length;
  expect(await net.datagram('shop/front', address, 53)).toMatchObject({ allowed: true });
  // The kernel drops entries that have expired when somebody lists them; by itself it takes up to a minute.
  const listing = setInterval(() => {
    void run(inNetns(net.lab.netns('shop/front'), ['cat', '/proc/net/nf_conntrack']));
  }, 500);
  onTestFinished(() => clearInterval(listing));
  const ended = await recordedSince(before, address, 53);
  const headers = address === API ? 28 : 48;
  expect(ended?.bytes_recv).toBeGreaterThan(headers);
  expect(ended?.bytes_sent).toBeGreaterThan(headers);
});

test('a connection that never came about, and those of a pod that is not isolated, have no record', async () => {
  const NODE = '10.0.0.1'; // nobody listens
  expect(await net.connect('shop/front', NODE, 81)).toMatchObject({ error: 'ECONNREFUSED' });
  expect(await net.connect('shop/free', API, 80)).toMatchObject({ allowed: true });
  const before = (await endedTo('shop/front', API, 80)).length;
  expect(await fromFront(API)).toMatchObject({ allowed: true });
  await until('a later one is recorded', async () => (await endedTo('shop/front', API, 80)).length > before);
  expect(await endedTo('shop/front', NODE, 81)).toEqual([]);
  expect(await endedTo('shop/free', API, 80)).toEqual([]);
});

test.each(['127.0.0.1', '::1', '10.1.1.12', 'fd00:1::12'])(
  'an isolated pod reaches itself on %s',
  async (address) => {
    expect(await fromFront(address)).toMatchObject({ allowed: true });
  },
);

test('an isolated pod still answers what comes in, and reaches its own node, not another', async () => {
  expect(await net.connect('shop/api', '10.1.1.12', 80)).toMatchObject({ allowed: true });
  const servers = [
    await net.serve('node/node-1', ['TCP/9000']),
    await net.serve('node/node-2', ['TCP/9000']),
  ];
  try {
    expect(await fromFront('10.0.0.1', 9000)).toMatchObject({ allowed: true });
    await expectBlocked('10.0.0.2', 9000);
  } finally {
    for (const server of servers) server.kill();
  }
});

test('an address outside the cluster is reached where a block has it', async () => {
  const server = await net.serve('outside', ['TCP/443']);
  try {
    await expectBlocked(WORLD, 443);
    await net.apply(
      reach(['api'], {
        to: [{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] } }],
        ports: [{ port: 443 }],
      }),
    );
    expect(await fromFront(WORLD, 443)).toMatchObject({ allowed: true, seenAddress: '10.1.1.12' });
  } finally {
    server.kill();
    await net.apply(reach(['api']));
  }
});

test('a named port is that of the pod it leads to', async () => {
  await net.apply(
    policy('shop/front-out', {
      podSelector: { matchLabels: { app: 'front' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: {} }], ports: [{ port: 'web' }] }],
    }),
  );
  expect(await fromFront(API, 8080)).toMatchObject({ allowed: true });
  expect(await fromFront(DB, 8081)).toMatchObject({ allowed: true });
  await expectBlocked(API, 8081);
  await expectBlocked(DB, 8080);
  await expectBlocked(API, 80);
  await net.apply(reach(['api']));
});

test('both halves have their say, each at its own end', async () => {
  await net.apply(reach(['api', 'db']), allowApps('shop/db-in', 'db', ['api']));
  await expectBlocked(DB); // no handshake, though its own half allows it
  const denial = await until('the destination has recorded it', async () =>
    (await flowsOf('shop/db')).find(
      (flow) => flow.direction === 'ingress' && flow.verdict === 'deny' && flow.src.pod === 'front',
    ),
  );
  expect(denial.isolating).toEqual(['shop/db-in']);
  await net.delete(allowApps('shop/db-in', 'db', []));
  expect(await fromFront(DB)).toMatchObject({ allowed: true });
  await net.apply(reach(['api']));
});

test('the far end hears of it too, also of flows whose packets the gate meets first', async () => {
  for (let round = 0; round < 5; round += 1) {
    await net.apply(reach(['api', 'db']));
    const work = { kind: 'echo', chunkBytes: 64, intervalMs: 5 } as const;
    await net.open('shop/front', { group: 'busy', count: 50, address: DB, port: 80, work });
    net.lab.writeObjects(reach(['api']));
    const cut = await net.allOver('shop/front', 'busy');
    expect(cut.every((flow) => flow.state === 'failed')).toBe(true);
    await until('shop/db has none of them', async () => {
      const left = JSON.parse((await net.admin('shop/db', '/connections')).body) as readonly unknown[];
      return left.length === 0;
    });
  }
  await net.apply(reach(['api']));
});

test('isolation that begins later spares the flows it allows and ends the others; when it ends, flows go on', async () => {
  await net.delete(reach([]));
  await Promise.all([hold(net, 'denied', 5, DB), hold(net, 'allowed', 5, API)]);
  await net.apply(reach(['api']));
  expect((await net.allOver('shop/front', 'denied')).every((flow) => flow.state === 'failed')).toBe(true);
  expectUntouched(await net.finish('shop/front', 'allowed'));

  await hold(net, 'freed', 5, API);
  await net.delete(reach([]));
  expect(await fromFront(DB)).toMatchObject({ allowed: true });
  expectUntouched(await net.finish('shop/front', 'freed'));
  await net.apply(reach(['api']));
});

test('the sidecar is killed: the kernel goes on admitting and denying by the last table', async () => {
  await net.lab.stopProcess('shop/front', 'sidecar', 'SIGKILL');
  expect(await fromFront(API)).toMatchObject({ allowed: true });
  await expectBlocked(DB);
  expect(await net.datagram('shop/front', DB, 53, SILENCE)).toMatchObject({ allowed: false });
  // A flow that is denied meanwhile ends all the same.
  await hold(net, 'denied', 1, API);
  const deny = ['nft', 'flush', 'map', 'inet', 'sluice', 'out_pods4'];
  await run(inNetns(net.lab.netns('shop/front'), deny));
  expect(await net.allOver('shop/front', 'denied')).toMatchObject([{ state: 'failed', error: 'ECONNRESET' }]);
  await net.lab.startSidecar('shop/front', { redirect: false });
  await net.lab.waitEnforced();
  await expectBlocked(DB);
});

test('before the first table nothing leaves the pod but to its own node', async () => {
  await net.lab.stopProcess('shop/front', 'sidecar', 'SIGTERM');
  const redirect = (command: string) =>
    run(
      inNetns(net.lab.netns('shop/front'), [
        process.execPath,
        SIDECAR,
        'redirect',
        command,
        '--node-ips',
        '10.0.0.1,fd00:10::1',
      ]),
    );
  await redirect('remove');
  await until(
    'nothing is in the way, so that the rest shows something',
    async () => (await fromFront(DB, 80, SILENCE)).allowed,
  );
  expect(await sysctl('shop/front', ACCOUNTING)).toBe('1\n'); // stays, and harms nothing
  await sysctl('shop/front', '-w', `${ACCOUNTING}=0`);
  await redirect('apply');
  for (const address of [API, API_V6, DB, DB_V6]) {
    expect(await fromFront(address, 80, SILENCE)).toMatchObject({ connected: false });
    expect(await net.datagram('shop/front', address, 53, SILENCE)).toMatchObject({ allowed: false });
  }
  await net.lab.startSidecar('shop/front');
  await until('connections pass again', async () => (await fromFront(API, 80, SILENCE)).allowed);
  expect(await sysctl('shop/front', ACCOUNTING)).toBe('1\n');
});
