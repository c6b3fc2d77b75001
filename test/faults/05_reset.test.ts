/**
 * Case 5: given a flow, when either end sends RST, then the other sees RST within 50 ms, yet bytes acknowledged before it are delivered.
 */
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { openSockets } from '../../native/sockets.ts';
import type { Connection, Ending, Relay } from '../../sidecar/relay/relay.ts';
import { startRelay } from '../../sidecar/relay/start.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo } from '../netns/tools/own_namespace.ts';

const INBOUND_PORT = SIDECAR_PORTS.inbound;
const APP_PORT = 80;

/** What the text says. */
const RESET_MS = 50;

/** Of so many rounds the one in the middle counts: a busy moment of the machine does not. */
const ROUNDS = 21;

/** A reset that has not come by then does not come. */
const GIVE_UP_MS = 5_000;

/** Bytes that are acknowledged before the reset: small and bulk. */
const SIZES = [1, 1_000, 100_000];

const sockets = openSockets();

beforeAll(() => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
});

describe.each(['splice', 'node'] as const)('with the %s relay', (kind) => {
  let relay: Relay;
  let app: net.Server;
  const endings: Ending[] = [];
  const connections: Connection[] = [];

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
      pipeLimit: 16,
      bufferBytes: 2 ** 30,
      idleMs: 0,
      threads: 1,
    };
    relay = await startRelay(kind, settings, {
      accepted(connection) {
        connections.push(connection);
        connection.admit();
        return { ended: (ending) => endings.push(ending) };
      },
      acceptFailed(error) {
        throw new Error(error);
      },
    });
    app = net.createServer({ pauseOnConnect: true });
    app.listen(APP_PORT, ADDRESSES[4].app);
    await once(app, 'listening');
  });

  afterAll(async () => {
    relay.close();
    app.close();
    await once(app, 'close');
  });

  async function pair(): Promise<Readonly<Record<'source' | 'destination', net.Socket>>> {
    const accepted = once(app, 'connection') as Promise<[net.Socket]>;
    const { client: localAddress, app: host } = ADDRESSES[4];
    const source = net.connect({ host, port: APP_PORT, localAddress, noDelay: true }).pause(); // Node must not read
    await once(source, 'connect');
    const [destination] = await accepted;
    for (const socket of [source, destination]) socket.on('error', () => {});
    return { source, destination };
  }

  test.each([
    ['source', 'destination'],
    ['destination', 'source'],
  ] as const)(
    'a reset by the %s reaches the %s within 50 ms, and what came before it is delivered',
    async (by, other) => {
      for (const bytes of SIZES) {
        const delays: number[] = [];
        while (delays.length < ROUNDS) {
          const flow = await pair();
          const reader = flow[other].pause();
          flow[by].write(Buffer.alloc(bytes));
          const passedOn = () => {
            const { fromSource, toSource } = connections.at(-1)?.progress() ?? { fromSource: 0, toSource: 0 };
            return by === 'source' ? fromSource : toSource;
          };
          await expect.poll(passedOn, { interval: 1 }).toBe(bytes); // acknowledged, and read by nobody yet
          const at = performance.now();
          flow[by].resetAndDestroy();
          while (!isDead(reader) && performance.now() - at < GIVE_UP_MS) await nextTurn();
          delays.push(performance.now() - at);
          let received = 0;
          reader.on('data', (chunk: Buffer) => {
            received += chunk.length;
          });
          const [error] = await once(reader.resume(), 'error');
          expect((error as NodeJS.ErrnoException).code).toBe('ECONNRESET');
          expect(received).toBe(bytes);
        }
        expect(delays.toSorted((a, b) => a - b)[ROUNDS >> 1]).toBeLessThanOrEqual(RESET_MS);
      }
      await expect.poll(() => endings.length).toBe(ROUNDS * SIZES.length);
      expect(new Set(endings.splice(0).map(({ end }) => end))).toEqual(new Set([`reset-by-${by}`]));
    },
  );
});

/** Whether the kernel has ended the connection, though Node does not read and so has not noticed. */
function isDead(socket: net.Socket): boolean {
  const { _handle } = socket as { _handle?: { fd: number } | null };
  return _handle != null && sockets.isDead(_handle.fd);
}
