/** Direct connections whose handshakes are odd: the app has them, so they are recorded and ended like others. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FlowRecord } from '../../flows/index.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const ALLOW = allowApps('shop/allow', 'api', ['front']);
const ALLOW_BOTH = allowApps('shop/allow', 'api', ['front', 'batch']);

/** A table of the client's own, with which it holds packets back. */
const HELD = 'inet held-back';

/** The handshake is over by then, and what was sent in vain is sent again, ms. */
const HELD_MS = 300;

/** From when a client has its cookie until it sends something; the table has changed by then, ms. */
const WAITS_MS = 2_000;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    ALLOW,
  ],
  sidecarEnv: { SLUICE_PATH: 'direct' },
});

const inPod = (name: string, ...argv: readonly string[]) => run(inNetns(net.lab.netns(name), argv));

/** Has a pod send nothing to port 80 that has none of these flags. */
async function hold(name: string, flags: string): Promise<void> {
  const rule = `tcp dport 80 tcp flags & (${flags}) == 0 drop`;
  await inPod(name, 'nft', `add table ${HELD}`);
  await inPod(name, 'nft', `add chain ${HELD} output { type filter hook output priority raw; ${rule}; }`);
}

const letGo = (name: string) => inPod(name, 'nft', `delete table ${HELD}`);

/** Connects, and sends the end of its stream at once. Resolves to what it has got. */
function askFrom(name: string, address: string, localPort: number, afterMs = 0): Promise<string> {
  return inPod(
    name,
    process.execPath,
    '--input-type=module',
    '-e',
    `import { connect } from 'node:net';
     const socket = connect({ host: '${address}', port: 80, localPort: ${localPort}, allowHalfOpen: true });
     socket.on('connect', () => setTimeout(() => socket.end('ECHO\\nhello\\n'), ${afterMs}));
     socket.on('data', (data) => process.stdout.write(data));
     socket.on('end', () => process.exit()).on('error', (error) => console.log(error.code));
     socket.setTimeout(3000, () => process.exit());`,
  );
}

async function recordsOf(port: number): Promise<readonly FlowRecord[]> {
  const flows = await net.flows('shop/api');
  return flows.filter(({ src }) => src.port === port);
}

test.each(API)('one whose client completes the handshake with a FIN has a record (%s)', async (address) => {
  const port = 40_001;
  await hold('shop/front', 'syn | fin');
  const asking = askFrom('shop/front', address, port);
  await sleep(HELD_MS);
  await letGo('shop/front');
  expect(await asking).toBe('hello\n');
  const [record] = await until('it is recorded', async () => {
    const found = await recordsOf(port);
    return found.some(({ dst }) => dst.addr === address) && found.filter(({ dst }) => dst.addr === address);
  });
  expect(record).toMatchObject({
    verdict: 'allow',
    path: 'direct',
    end: 'closed',
    bytes_recv: 11,
    bytes_sent: 6,
  });
});

test.each(API.map((address, index) => ({ address, port: 40_005 + index })))(
  'one whose handshake was not complete at a change that denies its client never reaches the app ($address)',
  async ({ address, port }) => {
    await net.apply(ALLOW_BOTH);
    await hold('shop/batch', 'syn');
    const asking = askFrom('shop/batch', address, port, WAITS_MS);
    const arriving = () => inPod('shop/api', 'ss', '-HtnO', 'state', 'syn-recv', 'sport', '=', ':80');
    await until('the kernel has answered its SYN', async () => (await arriving()).includes(`:${port}`));
    await net.apply(ALLOW);
    expect(await arriving()).not.toContain(`:${port}`);
    await letGo('shop/batch');
    expect(['', 'ECONNRESET\n']).toContain(await asking);
    expect(net.accepted('shop/api').filter(({ peerPort }) => peerPort === port)).toEqual([]);
  },
);

/** What completes a handshake: an ACK as usual, which is held back here, or a FIN. */
const LAST_PACKETS = ['ack', 'fin'] as const;

describe('with SYN cookies', () => {
  beforeAll(() => inPod('shop/api', 'sysctl', '-qw', 'net.ipv4.tcp_syncookies=2'));
  afterAll(() => inPod('shop/api', 'sysctl', '-qw', 'net.ipv4.tcp_syncookies=1'));

  // A port each: once its client is allowed again, a late packet of another case completes that one's handshake.
  test.each(
    LAST_PACKETS.flatMap((last) => API.map((address) => ({ last, address }))).map((one, index) => ({
      ...one,
      port: 40_010 + index,
    })),
  )(
    'a client that was allowed when it got a cookie gets nothing for it later ($last, $address)',
    async ({ last, address, port }) => {
      await net.apply(ALLOW_BOTH);
      await hold('shop/batch', 'syn');
      const asking = askFrom('shop/batch', address, port, WAITS_MS);
      await sleep(HELD_MS);
      await net.apply(ALLOW);
      if (last === 'fin') await sleep(WAITS_MS);
      await letGo('shop/batch');
      expect(await asking).toBe('');
      expect(await recordsOf(port)).toEqual([]);
    },
  );
});
