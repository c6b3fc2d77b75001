/** Flows that stand still while there is little memory for buffers: a relay tells them from others by what moved in 100 ms. */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { openSockets } from '../../native/sockets.ts';
import type { Relay } from '../../sidecar/relay/relay.ts';
import { startRelay } from '../../sidecar/relay/start.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo } from './tools/own_namespace.ts';

const INBOUND_PORT = 15_006;
const APP_PORT = 80;
const MIB = 1024 ** 2;

const sockets = openSockets();

beforeAll(() => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
});

describe('the native relay with little memory for buffers', () => {
  let relay: Relay;
  let app: net.Server;
  const ends: string[] = [];
  const clients: net.Socket[] = [];

  beforeAll(async () => {
    const settings = {
      sockets,
      inboundPort: INBOUND_PORT,
      adminPort: SIDECAR_PORTS.admin,
      canaryPort: SIDECAR_PORTS.canary,
      connectTimeoutMs: 10_000,
      keepAliveMs: 60_000,
      peerTimeoutMs: 7_200_000,
      connectionLimit: 1_000,
      pipeLimit: 64,
      bufferBytes: 24 * MIB, // of which the flow that is read takes up to ten
      idleMs: 0,
      threads: 1,
    };
    relay = await startRelay('splice', settings, {
      accepted(connection) {
        connection.admit();
        return { ended: ({ end }) => ends.push(end) };
      },
      acceptFailed(error) {
        throw new Error(error);
      },
    });
    // Echoes what is small; the first byte `!` asks for all that can be sent.
    app = net.createServer((server) => {
      server
        .on('error', () => {})
        .on('data', (chunk) => {
          if (chunk.toString() !== '!') return server.write(chunk);
          const more = () => {
            while (server.write(Buffer.alloc(MIB)));
          };
          server.on('drain', more);
          return more();
        });
    });
    app.listen(APP_PORT, ADDRESSES[4].app);
  });

  afterAll(() => {
    for (const client of clients) client.destroy();
    relay.close();
    app.close();
  });

  const dial = (): net.Socket => {
    const client = net.connect({ host: ADDRESSES[4].app, port: APP_PORT, localAddress: ADDRESSES[4].client });
    clients.push(client.on('error', () => {}));
    return client;
  };

  test('ends flows that stall, until the rest fits, and none that moves or holds little', async () => {
    const busy = dial();
    let received = 0;
    busy.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    busy.write('!');
    const quiet = dial();
    quiet.write('hello');
    await once(quiet, 'data');
    const stalled = Array.from({ length: 40 }, () => dial().pause());
    for (const client of stalled) client.write('!');
    await expect.poll(() => ends.length).toBeGreaterThan(5);
    await sleep(2_000); // the relay looks twice more: what is left fits
    expect(ends.length).toBeLessThan(stalled.length);
    expect(new Set(ends)).toEqual(new Set(['stalled']));
    // One that has moved nothing for 100 ms is a stalled one.
    expect(busy.destroyed).toBe(false);
    const before = received;
    await expect.poll(() => received).toBeGreaterThan(before);
    quiet.write('again');
    expect((await once(quiet, 'data'))[0].toString()).toBe('again');
  });
});
