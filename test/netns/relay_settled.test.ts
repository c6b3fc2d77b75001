/** When the native relay has settled, its threads have done and reported all that an acknowledgement of a table promises. */
import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openSockets } from '../../native/sockets.ts';
import type { Connection, Ending, Relay } from '../../sidecar/relay/relay.ts';
import { startRelay } from '../../sidecar/relay/start.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo } from './tools/own_namespace.ts';

const INBOUND_PORT = 15_006;
const APP_PORT = 80;
const THREADS = 2;

const app = net.createServer((socket) => socket.on('error', () => {}));
const connections: Connection[] = [];
const endings: Ending[] = [];
let relay: Relay;

beforeAll(async () => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
  relay = await startRelay(
    'splice',
    {
      sockets: openSockets(),
      inboundPort: INBOUND_PORT,
      adminPort: 1,
      canaryPort: 2,
      connectTimeoutMs: 1_000,
      keepAliveMs: 60_000,
      peerTimeoutMs: 7_200_000,
      bufferBytes: 2 ** 30,
      idleMs: 0,
      connectionLimit: 10_000,
      pipeLimit: 4,
      threads: THREADS,
    },
    {
      accepted(connection) {
        connections.push(connection);
        connection.admit();
        return { ended: (ending) => endings.push(ending) };
      },
      acceptFailed: (error) => expect.unreachable(error),
    },
  );
  app.listen(APP_PORT, '::');
  await once(app, 'listening');
});

afterAll(() => {
  relay.close();
  app.close();
});

/** A client that is connected, which says nothing of how far its relay is. */
async function client(): Promise<void> {
  const { client: localAddress, app: host } = ADDRESSES[4];
  const socket = net.connect({ host, port: APP_PORT, localAddress }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
}

test('there is nothing to do', async () => {
  await relay.settled();
  await Promise.all([relay.settled(), relay.settled()]);
});

test('what was asked for before is done, and reported', async () => {
  await Promise.all(Array.from({ length: 600 }, client));
  await expect.poll(() => connections.length).toBe(600);
  for (const connection of connections) connection.reset();
  expect(endings).toEqual([]);
  await relay.settled();
  expect(endings).toHaveLength(600);
});

test('it is over when the relay is closed', async () => {
  const settled = relay.settled();
  relay.close();
  await settled;
  await relay.settled();
});
