/** Reports of a real kernel as rows: the addon says what the reader in JavaScript says, and what was lost is counted to the piece. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { hostUint16, hostUint32, NETLINK_PROTOCOLS, Netlink } from '../../native/index.ts';
import { ConntrackEvents, type FlowEvent } from '../../sidecar/kernel/conntrack_events.ts';
import { ROW_WORDS } from '../../sidecar/kernel/event_rows.ts';
import { ADDRESSES, enterOwnNamespace } from './tools/own_namespace.ts';

const RULES = `table inet tracked {
  chain counting {
    ct bytes > 0
  }
  chain input {
    type filter hook input priority filter
    ct state new accept
  }
}`;

beforeAll(() => {
  enterOwnNamespace();
  execFileSync('nft', ['-f', '-'], { input: RULES });
  for (const timeout of ['udp_timeout', 'tcp_timeout_time_wait', 'tcp_timeout_close'])
    execFileSync('sysctl', ['-qw', `net.netfilter.nf_conntrack_${timeout}=1`]);
});

/** Sends datagrams to nobody, each from a port of its own. */
async function sendEach(family: 4 | 6, count: number): Promise<void> {
  const { client, app } = ADDRESSES[family];
  for (let sent = 0; sent < count; sent += 1) {
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
    socket.bind(20_000 + sent, client);
    await once(socket, 'listening');
    await new Promise((done) => socket.send('hello', 53, app, done));
    socket.close();
  }
}

async function connectOnce(family: 4 | 6): Promise<void> {
  const { client, app } = ADDRESSES[family];
  const server = createServer((socket) => socket.resume().on('end', () => socket.end())).listen(80, app);
  await once(server, 'listening');
  const socket = connect({ port: 80, host: app, localAddress: client });
  socket.end('hello');
  await once(socket.resume(), 'close');
  server.close();
}

/** Lets entries expire, and has the kernel notice it, which it does when somebody lists them. */
async function expire(): Promise<void> {
  await new Promise((done) => setTimeout(done, 1_500));
  readFileSync('/proc/net/nf_conntrack');
}

test.each([4, 6] as const)('a row says what the message says (IPv%i)', async (family) => {
  const [whole, rows] = [new ConntrackEvents(), new ConntrackEvents()];
  onTestFinished(() => void [whole.close(), rows.close()]);
  await sendEach(family, 3);
  await connectOnce(family);
  await expire();
  const expected: FlowEvent[] = [];
  for (let some = whole.receive(); some !== undefined; some = whole.receive()) expected.push(...some);
  const taken = rows.take();
  const found = Array.from({ length: taken.rows.count }, (_, row) => ({
    flow: taken.rows.flow(row),
    gone: taken.rows.isGone(row),
  }));
  expect(found).toEqual(expected);
  expect(taken.lost).toBe(0);
  const { client, app } = ADDRESSES[family];
  expect(found.filter(({ gone, flow }) => gone && flow?.protocol === 'UDP')).toHaveLength(3);
  expect(found).toContainEqual({
    gone: true,
    flow: expect.objectContaining({
      protocol: 'UDP',
      source: { address: client, port: 20_000 },
      answering: { address: app, port: 53 },
      bytesSent: 'hello'.length + 8 + (family === 4 ? 20 : 40),
    }),
  });
  expect(found.filter(({ flow }) => flow?.protocol === 'TCP').map(({ gone }) => gone)).toEqual([false, true]);
});

test('reports that find no room are counted to the piece', async () => {
  const socket = new Netlink(NETLINK_PROTOCOLS.NETFILTER);
  onTestFinished(() => socket.close());
  const DESTROY = 3;
  const all = Buffer.concat([hostUint16(0x06), Uint8Array.of(0, 0), hostUint32(-1)]);
  socket.subscribe({ groups: [DESTROY], filter: all, bufferBytes: 8 * 1024 });
  await sendEach(4, 100);
  await expire();
  const dropped = new Uint32Array(1);
  const count = socket.receiveRows(new Uint32Array(200 * ROW_WORDS), dropped);
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThan(100);
  expect(count + (dropped[0] ?? 0)).toBe(100);
  expect(socket.receiveRows(new Uint32Array(ROW_WORDS), dropped)).toBe(0);
});
