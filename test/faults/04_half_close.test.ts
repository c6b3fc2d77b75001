/**
 * Case 4: given 1 MiB in flight, when the sender half-closes, then every byte arrives before FIN, the reverse way still works, and the
 * digests are equal. 10,000 runs; in every tenth the reader is throttled.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { openSockets } from '../../native/sockets.ts';
import type { Relay } from '../../sidecar/relay/relay.ts';
import { startRelay } from '../../sidecar/relay/start.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo } from '../netns/tools/own_namespace.ts';

const INBOUND_PORT = SIDECAR_PORTS.inbound;
const APP_PORT = 80;
const MIB = 1024 ** 2;

/** What the text says. */
const RUNS = 10_000;

/** So many at once: more than pipes, so that copies are among them. */
const AT_ONCE = 16;
const PIPES = 8;

const THROTTLED_EVERY = 10;
const PAUSE_MS = 2;

const SENT = randomBytes(MIB);
const DIGEST = createHash('sha256').update(SENT).digest('hex');

let relay: Relay;
let app: net.Server;

beforeAll(async () => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
  const settings = {
    sockets: openSockets(),
    inboundPort: INBOUND_PORT,
    adminPort: SIDECAR_PORTS.admin,
    canaryPort: SIDECAR_PORTS.canary,
    connectTimeoutMs: 10_000,
    keepAliveMs: 60_000,
    peerTimeoutMs: 7_200_000,
    connectionLimit: 1_000,
    pipeLimit: PIPES,
    bufferBytes: 2 ** 30,
    idleMs: 0,
    threads: 1,
  };
  relay = await startRelay('splice', settings, {
    accepted(connection) {
      connection.admit();
      return { ended() {} };
    },
    acceptFailed(error) {
      throw new Error(error);
    },
  });
  // Reads to the end of the stream, and only then answers what it got: the reverse way must still work.
  let runs = 0;
  app = net.createServer({ allowHalfOpen: true }, async (socket) => {
    runs += 1;
    const throttled = runs % THROTTLED_EVERY === 0;
    const hash = createHash('sha256');
    for await (const chunk of socket.on('error', () => {})) {
      hash.update(chunk as Buffer);
      if (throttled) await sleep(PAUSE_MS);
    }
    socket.end(hash.digest('hex'));
  });
  app.listen(APP_PORT, ADDRESSES[4].app);
  await once(app, 'listening');
});

afterAll(() => {
  relay.close();
  app.close();
});

async function answerOf(): Promise<string> {
  const { client: localAddress, app: host } = ADDRESSES[4];
  const socket = net.connect({ host, port: APP_PORT, localAddress, allowHalfOpen: true });
  socket.end(SENT);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

test('10,000 times 1 MiB that is half-closed arrives whole, and is answered', async () => {
  let left = RUNS;
  const wrong: string[] = [];
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const answer = await answerOf().catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
      if (answer !== DIGEST) wrong.push(answer);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  expect(wrong).toEqual([]);
}, 900_000);
