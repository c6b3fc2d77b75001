/** What connection tracking reports in a pod: of connections that come in only what the sidecar wants to know, as each message costs. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { inPod } from './tools/pod_script.ts';

const NATIVE = join(import.meta.dirname, '../../native/index.ts');
const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;
const CONNECTIONS = 10;

/** What a connection has from its SYN to TIME_WAIT, but for its beginning, which is reported to another group. */
const CHANGES = 5;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80] }),
    pod('shop/front', { labels: { app: 'front' }, ips: FRONT, ports: [80] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
  sidecarEnv: { SLUICE_PATH: 'direct' },
});

/** Prints how many changes of flows with this address have been reported since the last line, each time that it is asked. */
const counting = (address: string): string => `
  import { isIP } from 'node:net';
  import { NETLINK_PROTOCOLS, Netlink } from '${NATIVE}';
  const bytes = isIP('${address}') === 4
    ? Buffer.from('${address}'.split('.').map(Number))
    : Buffer.from('fd000001000000000000000000000011', 'hex');
  const changes = new Netlink(NETLINK_PROTOCOLS.NETFILTER);
  const all = Uint8Array.of(6, 0, 0, 0, 255, 255, 255, 255); // BPF_RET, any length
  changes.subscribe({ groups: [2], filter: all, bufferBytes: 1 << 20 });
  console.log('counts');
  process.stdin.on('data', () => {
    let count = 0;
    for (let some = changes.receive(); some !== undefined; some = changes.receive())
      for (const { body } of some) if (Buffer.from(body).includes(bytes)) count += 1;
    console.log(count);
  });`;

test.each(API.map((api, index) => [api, FRONT[index] ?? '']))(
  'of a connection to %s one message says that it is complete, and of one that the pod opens all do',
  async (api, front) => {
    const counter = inPod(net, 'shop/api', counting(front));
    expect(await counter.line()).toBe('counts');
    for (let i = 0; i < CONNECTIONS; i += 1)
      expect(await net.connect('shop/front', api, 80)).toMatchObject({ allowed: true });
    await sleep(SILENCE.timeoutMs);
    counter.goOn();
    expect(Number(await counter.line())).toBe(CONNECTIONS);

    for (let i = 0; i < CONNECTIONS; i += 1)
      expect(await net.connect('shop/api', front, 80)).toMatchObject({ allowed: true });
    await sleep(SILENCE.timeoutMs);
    counter.goOn();
    expect(Number(await counter.line())).toBeGreaterThanOrEqual(CONNECTIONS * CHANGES);
  },
);

test.each(API.map((api, index) => ({ api, port: 8_081 + index })))(
  'one that follows at once on one that the app has reset, with the same ports, is reported ($api)',
  async ({ api, port }) => {
    const app = inPod(
      net,
      'shop/api',
      `import { createServer } from 'node:net';
       createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
         .listen(${port}, () => console.log('listens'));`,
    );
    expect(await app.line()).toBe('listens');
    const client = inPod(
      net,
      'shop/front',
      `import { connect } from 'node:net';
       const once = () => new Promise((resolve) => {
         const socket = connect({ host: '${api}', port: ${port}, localPort: 40_123 }, () => socket.write('x'));
         socket.on('error', () => {}).on('close', resolve);
       });
       await once();
       await once();
       console.log('both are over');`,
    );
    expect(await client.line()).toBe('both are over');
    await until('both are recorded', async () => {
      const flows = await net.flows('shop/api');
      return flows.filter(({ src, dst }) => src.port === 40_123 && dst.port === port).length === 2;
    });
  },
);
