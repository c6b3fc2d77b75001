/** The gate on real packets: what no proxy can do. */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { toolPath } from '../../lab/processes/tools.ts';
import { GATE_TABLE } from '../../sidecar/gate/kernel/names.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { ANSWER, type Patience, SILENCE, until, useLab } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');

/** An nft that fails as long as `broken` exists beside it, and waits with a running sidecar's gate as long as `held` does. */
const tools = mkdtempSync(join(tmpdir(), 'sluice-nft-'));
const broken = join(tools, 'broken');
const held = join(tools, 'held');
writeFileSync(
  join(tools, 'nft'),
  `#!/bin/sh
[ -e ${broken} ] && { echo 'Error: made to fail' >&2; exit 1; }
text=$(cat)
while [ -e ${held} ] && printf '%s' "$text" | grep -q '${GATE_TABLE}$' && tr '\\0' ' ' </proc/$PPID/cmdline | grep -q ' run'; do sleep 0.05; done
printf '%s\n' "$text" | PATH=${toolPath()} nft "$@"
`,
);
chmodSync(join(tools, 'nft'), 0o755);
afterAll(() => rmSync(tools, { recursive: true }));

/** The policy that admits these apps to TCP/80 and UDP/53 of the api. */
const allow = (...apps: string[]) =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: apps.map((app) => ({
      from: [{ podSelector: { matchLabels: { app } } }],
      ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }],
    })),
  });

const packets = usePackets();
const net = useLab({
  sidecarEnv: { PATH: `${tools}:${toolPath()}` },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80, 'UDP/53'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'], ports: [80, 'UDP/53'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'], ports: [80, 'UDP/53'] }),
    allow('front'),
  ],
});

/** The families' names in nftables' `meta nfproto`. */
const NF_PROTOCOL = { ip: 'ipv4', ip6: 'ipv6' };

const inApi = (...argv: string[]) => run(inNetns(net.lab.netns('shop/api'), argv));

/** Counts what the api's kernel answers to a peer's SYNs: SYN-ACKs and resets. */
async function answersTo(peer: string): Promise<() => Promise<number>> {
  const family = peer.includes(':') ? 'ip6' : 'ip';
  const table = `inet witness_${peer.replaceAll(/[.:]/g, '_')}`;
  await inApi('nft', `add table ${table}`);
  await inApi('nft', `add chain ${table} out { type filter hook output priority 0; }`);
  await inApi('nft', `add rule ${table} out ${family} daddr ${peer} tcp flags & (syn | rst) != 0 counter`);
  return async () => Number(/packets (\d+)/.exec(await inApi('nft', `list table ${table}`))?.[1]);
}

/**
 * Counts packets of a family in the api's kernel: what comes to the gate, and what the gate has let by.
 * @param match of nft(8), beside the family
 */
async function atTheGate(
  family: 'ip' | 'ip6',
  match: string,
): Promise<() => Promise<readonly [number, number]>> {
  const table = `inet witness_${family}`;
  await inApi('nft', `add table ${table}`);
  onTestFinished(async () => void (await inApi('nft', `delete table ${table}`)));
  for (const [chain, hook, priority] of [
    ['before', 'prerouting', -500],
    ['behind', 'input', 500],
  ]) {
    await inApi('nft', `add chain ${table} ${chain} { type filter hook ${hook} priority ${priority}; }`);
    await inApi('nft', `add rule ${table} ${chain} meta nfproto ${NF_PROTOCOL[family]} ${match} counter`);
  }
  return async () => {
    const counts = [...(await inApi('nft', `list table ${table}`)).matchAll(/packets (\d+)/g)];
    return [Number(counts[0]?.[1]), Number(counts[1]?.[1])];
  };
}

/** Runs a script in a pod and gives its output. */
const script = (from: string, text: string) =>
  run(inNetns(net.lab.netns(from), [process.execPath, '--input-type=module', '-e', text]));

const ready = () =>
  until('the sidecar is ready', async () => {
    const answer = await net.admin('shop/api', '/readyz').catch(() => undefined);
    return answer?.status === 200;
  });

test.each([
  [API[0], '10.1.1.12', '10.1.1.11'],
  [API[1], 'fd00:1::12', 'fd00:1::11'],
  ['::ffff:10.1.1.10', '10.1.1.12', '10.1.1.11'],
])('a denied SYN to %s gets no answer at all', async (address, deniedPeer, allowedPeer) => {
  const toDenied = await answersTo(deniedPeer);
  const toAllowed = await answersTo(allowedPeer);
  const denied = await net.connect('shop/batch', address, 80, SILENCE);
  expect(denied).toMatchObject({ connected: false, timedOut: true });
  expect(await net.connect('shop/front', address, 80)).toMatchObject({ connected: true, allowed: true });
  expect(await toDenied()).toBe(0);
  expect(await toAllowed()).toBeGreaterThan(0);
  for (const peer of [deniedPeer, allowedPeer])
    await inApi('nft', `delete table inet witness_${peer.replaceAll(/[.:]/g, '_')}`);
});

const [FIN, SYN, RST, PSH, ACK, URG, ECE_CWR] = [1, 2, 4, 8, 16, 32, 192];

test.each([
  [API[0], 'ip', '10.1.1.12/32'],
  [API[1], 'ip6', 'fd00:1::12/128'],
] as const)(
  'no TCP packet of a denied peer reaches %s, whatever its flags',
  async (address, family, sources) => {
    const counted = await atTheGate(family, `${family} saddr ${sources} tcp dport 80`);
    const odd = [
      SYN,
      SYN | ECE_CWR,
      SYN | FIN,
      SYN | RST,
      SYN | ACK,
      ACK,
      PSH | ACK,
      FIN,
      FIN | ACK,
      RST,
      RST | ACK,
      FIN | PSH | URG,
      FIN | SYN | RST | PSH | ACK | URG,
    ];
    const floods = odd.map((flags) =>
      packets.tool.floodSyns(net.lab, 'node/node-1', {
        sources,
        address,
        port: 80,
        rate: 20,
        seconds: 1,
        flags,
      }),
    );
    const sent = (await Promise.all(floods)).reduce((sum, one) => sum + one.sent, 0);
    expect(sent).toBeGreaterThan(5 * odd.length);
    expect(await counted()).toEqual([sent, 0]);
  },
);

test.each(API)('UDP to %s passes only where a rule allows it', async (address) => {
  const seen = address.includes(':') ? 'fd00:1::11' : '10.1.1.11';
  expect(await net.datagram('shop/front', address, 53)).toMatchObject({ allowed: true, seenAddress: seen });
  expect(await net.datagram('shop/batch', address, 53, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.datagram('node/node-1', address, 53)).toMatchObject({ allowed: true });
});

test.each(['10.1.1.12', 'fd00:1::12'])(
  'answers to what the isolated pod asks always pass (%s)',
  async (address) => {
    expect(await net.datagram('shop/api', address, 53)).toMatchObject({ allowed: true });
  },
);

test('ICMP errors of its own flows reach the isolated pod', async () => {
  const said = await script(
    'shop/api',
    `import { createSocket } from 'node:dgram';
     const socket = createSocket('udp4');
     socket.on('error', (error) => { console.log(error.code); process.exit(); });
     socket.connect(9, '10.1.1.12', () => { socket.send('x'); setTimeout(() => socket.send('x'), 50); });
     setTimeout(() => process.exit(), 2000);`,
  );
  expect(said).toContain('ECONNREFUSED');
});

/** One datagram too large for one packet; what came back. */
const largeDatagram = (from: string, { timeoutMs }: Patience) =>
  script(
    from,
    `import { createSocket } from 'node:dgram';
     const socket = createSocket('udp4');
     const say = (what) => { console.log(what); process.exit(); };
     socket.on('message', () => say('answered'));
     socket.send(Buffer.alloc(8000, 'x'), 53, '${API[0]}');
     setTimeout(() => say('silence'), ${timeoutMs});`,
  );

test('fragments are judged as the datagram they make up', async () => {
  expect(await largeDatagram('shop/front', ANSWER)).toContain('answered');
  expect(await largeDatagram('shop/batch', SILENCE)).toContain('silence');
});

test.each([
  ['10.1.1.11', API[0]],
  ['fd00:1::11', API[1]],
])(
  'a UDP flow from %s stops with the next packet when policy no longer allows it',
  async (_from, address) => {
    const child = net.lab.spawnIn(
      'shop/front',
      [
        process.execPath,
        '--input-type=module',
        '-e',
        `import { createSocket } from 'node:dgram';
       const socket = createSocket('${address.includes(':') ? 'udp6' : 'udp4'}');
       socket.on('message', () => console.log('answer'));
       setInterval(() => socket.send('x', 53, '${address}'), 20);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      let answers = 0;
      child.stdout?.on('data', (chunk: Buffer) => {
        answers += chunk.toString().split('\n').length - 1;
      });
      await until('answers come', () => answers > 5);
      const counted = await atTheGate(address.includes(':') ? 'ip6' : 'ip', 'udp dport 53');
      await until('datagrams pass', async () => (await counted())[1] > 5);
      await net.apply(allow('nobody'));
      // The kernel still knows the flow, but no packet of it passes: twenty more are in vain.
      const [came, passed] = await counted();
      await until('twenty more have come', async () => (await counted())[0] >= came + 20);
      expect((await counted())[1]).toBe(passed);
      const before = answers;
      await net.apply(allow('front'));
      await until('answers come again', () => answers > before + 5);
    } finally {
      child.kill();
    }
  },
);

test('denials by the gate are recorded like any other, with packets', async () => {
  await net.datagram('shop/batch', API[0], 53, SILENCE);
  const record = await until('the denial is recorded', async () => {
    const flows = await net.flows('shop/api');
    return flows.find((flow) => flow.protocol === 'UDP' && flow.src.addr === '10.1.1.12');
  });
  expect(record).toMatchObject({
    verdict: 'deny',
    end: 'dropped',
    isolating: ['shop/allow'],
    src: { namespace: 'shop', pod: 'batch' },
    dst: { addr: API[0], port: 53, pod: 'api' },
  });
  expect(record.packets).toBeGreaterThan(0);
  expect(record.explanation).toMatch(
    /^shop\/batch -> shop\/api UDP\/53 denied at ingress: isolated by shop\/allow; nearest rule allow ingress\[0\]: /,
  );
  for (const unknown of ['policy', 'duration_ms', 'bytes_sent', 'bytes_recv'])
    expect(record).not.toHaveProperty(unknown);
  const metrics = (await net.admin('shop/api', '/metrics')).body;
  expect(metrics).toMatch(/^sluice_gate_drops_total\{direction="ingress"\} [1-9]/m);
  expect(metrics).toContain('sluice_gate_in_force 1');
});

test('a peer that is allowed a moment too late gets in when it sends its SYN again', async () => {
  const connecting = net.connect('shop/batch', API[0], 80, { timeoutMs: 5_000 });
  await until('the SYN is dropped', async () =>
    (await inApi('nft', 'list', 'set', 'inet', 'sluice', 'in_denied4')).includes('10.1.1.12'),
  );
  await net.apply(allow('front', 'batch'));
  expect(await connecting).toMatchObject({ allowed: true });
  await net.apply(allow('front'));
});

test('a transaction that fails leaves the last good rules, is shown, and is tried again', async () => {
  writeFileSync(broken, '');
  // Ports that nobody had need new rules; peers that come and go would not need the tool.
  net.lab.writeObjects(
    policy('shop/allow', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'batch' } } }],
          ports: [{ port: 81 }, { port: 53, protocol: 'UDP' }],
        },
      ],
    }),
  );
  await until('the sidecar is unready', async () => {
    const { status, body } = await net.admin('shop/api', '/readyz');
    return status === 503 && body.includes('gate: ') && body.includes('made to fail');
  });
  expect((await net.admin('shop/api', '/metrics')).body).toContain('sluice_gate_in_force 0');
  // The last good rules: batch is still dropped. The proxy already has the new table: front is refused after accept.
  expect(await net.datagram('shop/batch', API[0], 53, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.connect('shop/batch', API[0], 80, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.connect('shop/front', API[0], 80)).toMatchObject({ allowed: false });
  rmSync(broken);
  await ready();
  await net.lab.waitEnforced();
  expect(await net.datagram('shop/batch', API[0], 53)).toMatchObject({ allowed: true });
  await net.apply(allow('front'));
});

test.each(['delete', 'flush'])(
  "nft %s table behind the sidecar's back: the gate is put in again, and the log says so",
  async (change) => {
    const before = net.sidecarLog('shop/api').length;
    await inApi('nft', change, 'table', 'inet', 'sluice');
    await until('the gate is back', () =>
      inApi('nft', 'list', 'chain', 'inet', 'sluice', 'syns').then(
        (listed) => listed.includes('jump in_subject'),
        () => false,
      ),
    );
    await ready();
    const said = net.sidecarLog('shop/api').slice(before);
    expect(said.find(({ problem }) => String(problem).includes('took its rules out'))).toMatchObject({
      level: 'error',
    });
    expect(await net.datagram('shop/batch', API[0], 53, SILENCE)).toMatchObject({ allowed: false });
    expect(await net.datagram('shop/front', API[0], 53)).toMatchObject({ allowed: true });
  },
);

test('the sidecar is killed: the kernel keeps denying, and keeps admitting UDP that is allowed', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  expect(await net.datagram('shop/batch', API[0], 53, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.datagram('shop/front', API[0], 53)).toMatchObject({ allowed: true });
  for (const from of ['shop/batch', 'shop/front']) {
    expect(await net.connect(from, API[0], 80, SILENCE)).toMatchObject({ connected: false });
  }
  await net.lab.startSidecar('shop/api');
  await ready();
  expect(await net.connect('shop/front', API[0], 80)).toMatchObject({ allowed: true });
});

test('before the first table nothing passes but the own node, and nothing is half-open', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  const redirect = (command: string) =>
    inApi(process.execPath, SIDECAR, 'redirect', command, '--node-ips', '10.0.0.1,fd00:10::1');
  await redirect('remove');
  expect(await net.datagram('shop/batch', API[0], 53)).toMatchObject({ allowed: true }); // so the rest shows something
  expect(JSON.parse(await redirect('apply'))).toMatchObject({ gate: 'closed' });
  for (const address of API) {
    for (const from of ['shop/batch', 'shop/front']) {
      const denied = await net.connect(from, address, 80, SILENCE);
      expect(denied).toMatchObject({ connected: false, timedOut: true });
      expect(await net.datagram(from, address, 53, SILENCE)).toMatchObject({ allowed: false });
    }
    expect(await net.connect('node/node-1', address, 80)).toMatchObject({ allowed: true });
    expect(await net.datagram('node/node-1', address, 53)).toMatchObject({ allowed: true });
  }
  writeFileSync(held, '');
  const started = net.lab.startSidecar('shop/api');
  const unready = await until('it has a table', async () => {
    const { status, body } = await net.admin('shop/api', '/readyz').catch(() => ({ status: 0, body: '' }));
    return status !== 0 && !body.includes('no table yet') && { status, body };
  });
  expect(unready).toMatchObject({
    status: 503,
    body: expect.stringContaining('gate: the kernel is about to get'),
  });
  rmSync(held);
  await started;
  await ready();
  expect(await net.datagram('shop/front', API[0], 53)).toMatchObject({ allowed: true });
  expect(existsSync(broken)).toBe(false);
});
