/** What a program has sent before it closed its connection is not delivered after a denial, on any path and in either direction. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { type TestLab, until, useLab } from './harness.ts';
import { inPod } from './tools/pod_script.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const BATCH = ['10.1.1.12', 'fd00:1::12'] as const;
const ALLOW = allowApps('shop/allow', 'api', ['front']);
const ALLOW_BOTH = allowApps('shop/allow', 'api', ['front', 'batch']);

const OBJECTS = [
  node(1),
  namespace('shop'),
  pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80] }),
  pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
  pod('shop/batch', { labels: { app: 'batch' }, ips: BATCH }),
  ALLOW_BOTH,
];

/** More than `READER_BUFFERS` take, less than a sender's buffers, bytes. */
const SENT_BYTES = 150_000;

/** The same where the reader's own sidecar takes some on the way. */
const SENT_TO_POD_BYTES = 2_000_000;

/** Of who reads late: the kernel takes some 10 kB for it. */
const READER_BUFFERS = 'net.ipv4.tcp_rmem=4096 8192 16384';
const SENDER_BUFFERS = 'net.ipv4.tcp_wmem=4096 4194304 8388608';

const setting = (net: TestLab, name: string, text: string) =>
  run(inNetns(net.lab.netns(name), ['sysctl', '-qw', text]));

/** Sends all at once, and closes when the kernel has it. */
const sendsAndCloses = (bytes = SENT_BYTES) => `(socket) => {
  socket.on('error', () => {}).on('close', () => console.log('closed'));
  socket.resume().end(Buffer.alloc(${bytes}), () => socket.destroy());
}`;

/** Reads nothing until it goes on; says then how many bytes came, and what after them. */
const READS_LATE = `(socket) => {
  let bytes = 0;
  const over = (how) => { console.log(how, bytes); process.exit(); };
  socket.pause().on('end', () => over('all')).on('error', (error) => over(error.code));
  process.stdin.once('data', () => {
    socket.on('data', (data) => { bytes += data.length; }).resume();
    setTimeout(() => over('silence'), 3_000);
  });
}`;

/** @returns how the connection ended for who read late, and how many bytes it got */
async function readOn(reader: { goOn(): void; line(): Promise<string> }) {
  reader.goOn();
  const [how, bytes] = (await reader.line()).split(' ');
  return { how, bytes: Number(bytes) };
}

/**
 * `whole`: the client has not closed its side. `half-closed`: it has, so that its own end is the last one that is awaited. `forgotten`: the
 * same, and connection tracking has forgotten it and picked it up again since, as one that the pod has opened.
 */
const CLIENTS = ['whole', 'half-closed', 'forgotten'] as const;

/** How long connection tracking keeps a connection that is half closed, s: as long as usual, or less than between two probes. */
const KEPT_SECONDS = { whole: 60, 'half-closed': 60, forgotten: 1 } as const;

/** A kernel probes a reader without room some 0.2, 0.6, 1.4 and 3 s after it had none. */
const PICKED_UP_AGAIN_MS = 4_500;

describe.each([
  ['direct', CLIENTS],
  ['proxy', CLIENTS],
] as const)('path %s', (path, clients) => {
  const net = useLab({ objects: OBJECTS, sidecarEnv: { SLUICE_PATH: path } });

  test.each(
    clients.flatMap((kind, index) =>
      API.map((address, place) => ({ kind, address, port: 8081 + 2 * index + place })),
    ),
  )('a client that reads late gets no more than its kernel has ($kind, $address)', async (one) => {
    const { kind, address, port } = one;
    await net.apply(ALLOW_BOTH);
    for (const state of ['close_wait', 'last_ack'])
      await setting(net, 'shop/api', `net.netfilter.nf_conntrack_tcp_timeout_${state}=${KEPT_SECONDS[kind]}`);
    await setting(net, 'shop/api', SENDER_BUFFERS);
    await setting(net, 'shop/batch', READER_BUFFERS);
    const app = inPod(
      net,
      'shop/api',
      `import { createServer } from 'node:net';
       createServer({ allowHalfOpen: true }, (socket) => {
         const send = ${sendsAndCloses()};
         ${kind === 'whole' ? 'send(socket);' : "socket.resume().once('end', () => send(socket));"}
       }).listen(${port}, () => console.log('listens'));`,
    );
    expect(await app.line()).toBe('listens');
    const client = inPod(
      net,
      'shop/batch',
      `import { connect } from 'node:net';
       const socket = connect({ host: '${address}', port: ${port}, allowHalfOpen: true }, () => {
         console.log(socket.localPort);
         ${kind === 'whole' ? '' : 'socket.end();'}
       });
       (${READS_LATE})(socket);`,
    );
    const localPort = Number(await client.line());
    expect(await app.line()).toBe('closed');
    // Through the proxy a flow that both sides have closed is over as soon as all bytes are the kernel's.
    const isOver = path === 'proxy' && kind !== 'whole';
    const recorded = async () => {
      const flows = await net.flows('shop/api');
      return flows.find(({ src }) => src.port === localPort);
    };
    if (isOver) await until('the flow is over', recorded);
    if (kind === 'forgotten') await sleep(PICKED_UP_AGAIN_MS);
    await net.apply(ALLOW);
    const { how, bytes } = await readOn(client);
    expect(how).toBe('ECONNRESET');
    expect(bytes).toBeLessThan(SENT_BYTES);
    const record = await until('it is recorded', recorded);
    if (isOver) return;
    expect(record).toMatchObject({ end: 'policy-changed', verdict: 'deny' });
    expect(record.bytes_sent).toBeGreaterThan(0);
  });

  test.each(API.map((address, place) => ({ address, port: 8091 + place })))(
    'a client that is allowed gets all that was sent before the end ($address)',
    async ({ address, port }) => {
      await net.apply(ALLOW_BOTH);
      const app = inPod(
        net,
        'shop/api',
        `import { createServer } from 'node:net';
         createServer(${sendsAndCloses()}).listen(${port}, () => console.log('listens'));`,
      );
      expect(await app.line()).toBe('listens');
      const client = inPod(
        net,
        'shop/front',
        `import { connect } from 'node:net';
         const socket = connect({ host: '${address}', port: ${port} }, () => console.log(socket.localPort));
         (${READS_LATE})(socket);`,
      );
      await client.line();
      expect(await app.line()).toBe('closed');
      await net.apply(ALLOW);
      expect(await readOn(client)).toEqual({ how: 'all', bytes: SENT_BYTES });
    },
  );
});

describe('egress', () => {
  const net = useLab({ objects: OBJECTS });
  const reach = (apps: readonly string[]) =>
    policy('shop/front-out', {
      podSelector: { matchLabels: { app: 'front' } },
      policyTypes: ['Egress'],
      egress: [{ to: apps.map((app) => ({ podSelector: { matchLabels: { app } } })) }],
    });

  test.each(BATCH.map((address, place) => ({ address, port: 8081 + place })))(
    'a peer that reads late gets no more than its kernel has ($address)',
    async ({ address, port }) => {
      await net.apply(reach(['api', 'batch']));
      await setting(net, 'shop/front', SENDER_BUFFERS);
      await setting(net, 'shop/batch', READER_BUFFERS);
      const peer = inPod(
        net,
        'shop/batch',
        `import { createServer } from 'node:net';
         createServer(${READS_LATE}).listen(${port}, () => console.log('listens'));`,
      );
      expect(await peer.line()).toBe('listens');
      const app = inPod(
        net,
        'shop/front',
        `import { connect } from 'node:net';
         const socket = connect({ host: '${address}', port: ${port} });
         socket.on('connect', () => (${sendsAndCloses(SENT_TO_POD_BYTES)})(socket));`,
      );
      expect(await app.line()).toBe('closed');
      await net.apply(reach(['api']));
      const { how, bytes } = await readOn(peer);
      expect(how).not.toBe('all');
      expect(bytes).toBeLessThan(SENT_TO_POD_BYTES);
    },
  );
});
