/** The ports of the app leg: taken in turn, free again at once, and what happens when all are taken. */

import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { NativeRelay } from '../../native/relay.ts';
import { openSockets } from '../../native/sockets.ts';
import { APP_LEG_MARK } from '../../sidecar/kernel/app_leg_marking.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo } from './tools/own_namespace.ts';
import { readAll } from './tools/streams.ts';

const { inbound: INBOUND_PORT, admin: ADMIN_PORT, canary: CANARY_PORT } = SIDECAR_PORTS;
const APP_PORT = 80;

const sockets = openSockets();

beforeAll(() => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
});

describe('the native relay with few ports for the app leg', () => {
  const ports = { first: 10_000, last: 10_019 };
  let listener: number;
  let relay: NativeRelay;
  let app: net.Server;
  const ends: string[] = [];

  beforeAll(() => {
    listener = sockets.listenTransparent(4, '127.0.0.1', INBOUND_PORT, 128);
    relay = new NativeRelay(
      {
        listeners: [listener],
        firstPort: ports.first,
        lastPort: ports.last,
        mark: APP_LEG_MARK,
        connectTimeoutMs: 1_000,
        idleSeconds: 60,
        intervalSeconds: 60,
        probes: 119,
        maxHeldBytes: 2 ** 30,
        endIdleSeconds: 0,
        ownPorts: [ADMIN_PORT, CANARY_PORT],
        maxFlows: 1_000,
        maxPipes: 4,
      },
      {
        accepted: (event) => relay.admit(event, true),
        ended: ({ end }) => ends.push(end),
        acceptFailed() {},
      },
    );
    app = net.createServer((server) => server.on('error', () => {}).pipe(server));
    app.listen(APP_PORT, ADDRESSES[4].app);
  });

  afterEach(() => {
    ends.length = 0;
  });

  afterAll(() => {
    relay.close();
    sockets.close(listener);
    app.close();
  });

  const dial = (): net.Socket => {
    const client = net.connect({
      host: ADDRESSES[4].app,
      port: APP_PORT,
      localAddress: ADDRESSES[4].client,
    });
    return client.on('error', () => {});
  };

  test('finds them free again though the client finished first', async () => {
    const flows = 5 * (ports.last - ports.first);
    for (let i = 0; i < flows; i += 1) {
      const client = dial();
      client.end('x'); // its end of stream comes first, so the app leg's does too: that is who has to wait in TIME_WAIT
      await readAll(client);
    }
    await expect.poll(() => ends.length).toBe(flows);
    expect(new Set(ends)).toEqual(new Set(['closed']));
  });

  test('reports the want of a port as a shortage, not as an app that cannot be reached', async () => {
    const clients = Array.from({ length: ports.last - ports.first + 2 }, dial);
    await expect.poll(() => ends.length).toBeGreaterThan(0);
    expect(new Set(ends)).toEqual(new Set(['shortage']));
    for (const client of clients) client.destroy();
    await expect.poll(() => ends.length).toBe(clients.length);
  });
});
