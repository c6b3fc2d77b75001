/** What both relays promise: every byte, every end, resets as resets, bounded memory, no descriptor left. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { openSockets } from '../../native/sockets.ts';
import type { Connection, Ending, Relay } from '../../sidecar/relay/relay.ts';
import { startRelay } from '../../sidecar/relay/start.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo, vanish } from './tools/own_namespace.ts';
import { errorCode, readAll } from './tools/streams.ts';

const { inbound: INBOUND_PORT, admin: ADMIN_PORT, canary: CANARY_PORT } = SIDECAR_PORTS;
const APP_PORT = 80;
const CLOSED_PORT = 81;
const MIB = 1024 ** 2;

/** Silence before a client is given up here. libuv's own keepalive would take 11 s. */
const PEER_TIMEOUT_MS = 5_000;

/** An outage that a flow has to survive: probes go unanswered meanwhile. */
const OUTAGE_MS = 3_000;

const sockets = openSockets();

const tools = mkdtempSync(join(tmpdir(), 'sluice-relay-'));
const urgentTool = () => join(tools, 'urgent');

afterAll(() => rmSync(tools, { recursive: true, force: true }));

beforeAll(() => {
  const source = join(import.meta.dirname, 'tools/urgent.c');
  execFileSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-o', urgentTool(), source]);
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
});

describe.each([
  ['node', 1],
  ['splice', 1],
  ['splice', 2],
] as const)('the %s relay, threads: %i', (kind, threads) => {
  let before: string[];
  let relay: Relay;
  let app: net.Server;
  /** What is done with each accepted connection; admitted unless a test says otherwise. */
  let decide: (connection: Connection) => void;
  let endings: Ending[] = [];
  const open = new Set<net.Socket>();
  /** How many were made; what the relay admits from memory, it reports a little later. */
  let dialled = 0;
  const connections: Connection[] = [];

  beforeAll(async () => {
    const settings = {
      sockets,
      inboundPort: INBOUND_PORT,
      adminPort: ADMIN_PORT,
      canaryPort: CANARY_PORT,
      connectTimeoutMs: 1_000,
      keepAliveMs: 1_000,
      peerTimeoutMs: PEER_TIMEOUT_MS,
      bufferBytes: 2 ** 30,
      idleMs: 0,
      connectionLimit: 10_000,
      pipeLimit: 64,
      threads,
    };
    before = otherDescriptors();
    relay = await startRelay(kind, settings, {
      accepted(connection) {
        connections.push(connection);
        decide(connection);
        return { ended: (ending) => endings.push(ending) };
      },
      acceptFailed: (error) => {
        throw new Error(error);
      },
    });
    app = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    app.listen(APP_PORT, '::');
    await once(app, 'listening');
    decide = (connection) => connection.admit();
  });

  afterEach(async () => {
    for (const socket of open) socket.destroy();
    open.clear();
    await expect.poll(() => endings.length).toBe(dialled);
    decide = (connection) => connection.admit();
    dialled = 0;
    connections.length = 0;
    endings = [];
  });

  afterAll(async () => {
    relay.close();
    app.close();
    await once(app, 'close');
    await sleep(10);
    expect(listeningOn(INBOUND_PORT)).toBe(false);
    expect(otherDescriptors()).toEqual(before);
  });

  function dial(family: 4 | 6 = 4, port: number = APP_PORT): net.Socket {
    const { client, app: host } = ADDRESSES[family];
    const socket = net.connect({ host, port, localAddress: client, allowHalfOpen: true, noDelay: true });
    socket.on('error', () => {});
    open.add(socket);
    dialled += 1;
    return socket;
  }

  /** client <-> relay <-> server. */
  async function relayed(family: 4 | 6 = 4) {
    const accepted = once(app, 'connection') as Promise<[net.Socket]>;
    const client = dial(family);
    await once(client, 'connect');
    const [server] = await accepted;
    server.on('error', () => {});
    open.add(server);
    const newest = (): Connection | undefined => connections[dialled - 1];
    await expect.poll(() => newest()?.progress().relaying, { interval: 1 }).toBe(true);
    return { client, server };
  }

  /** One after the other: that is how the two ends of each are known. */
  async function relayedTimes(count: number) {
    const flows: Awaited<ReturnType<typeof relayed>>[] = [];
    while (flows.length < count) flows.push(await relayed());
    return flows;
  }

  const ended = async (): Promise<Ending> => {
    await expect.poll(() => endings.length).toBeGreaterThan(0);
    return endings[0] as Ending;
  };

  test.each([4, 6] as const)(
    "the app sees the client's address, the relay both ends (IPv%i)",
    async (family) => {
      const { server, client } = await relayed(family);
      const { client: from, app: to } = ADDRESSES[family];
      expect(server.remoteAddress?.replace('::ffff:', '')).toBe(from);
      const [connection] = connections;
      expect(connection?.source).toEqual({ address: from, port: client.localPort });
      expect(connection?.destination).toEqual({ address: to, port: APP_PORT });
      expect(connection?.family).toBe(family);
    },
  );

  test('the source may finish first and still gets the whole answer', async () => {
    const { client, server } = await relayed();
    client.end('question');
    expect((await readAll(server)).toString()).toBe('question');
    server.write('answer ');
    server.end('after the end');
    expect((await readAll(client)).toString()).toBe('answer after the end');
    expect(await ended()).toMatchObject({ end: 'closed', fromSource: 8, toSource: 20 });
  });

  test('the destination may finish first and still gets all that follows', async () => {
    const { client, server } = await relayed();
    server.end('greeting');
    expect((await readAll(client)).toString()).toBe('greeting');
    client.end('more');
    expect((await readAll(server)).toString()).toBe('more');
    expect(await ended()).toMatchObject({ end: 'closed' });
  });

  test('a reset of the source reaches the destination as a reset', async () => {
    const { client, server } = await relayed();
    const seen = errorCode(server);
    client.resetAndDestroy();
    expect(await seen).toBe('ECONNRESET');
    expect(await ended()).toMatchObject({ end: 'reset-by-source' });
  });

  test('a reset of the destination reaches the source as a reset', async () => {
    const { client, server } = await relayed();
    const seen = errorCode(client);
    server.resetAndDestroy();
    expect(await seen).toBe('ECONNRESET');
    expect(await ended()).toMatchObject({ end: 'reset-by-destination' });
  });

  test('a reset that follows the end of a stream is passed on, either way', async () => {
    const first = await relayed();
    first.client.end('bye');
    expect((await readAll(first.server)).toString()).toBe('bye');
    first.client.resetAndDestroy();
    await expect.poll(() => isDead(first.server)).toBe(true);
    expect(await ended()).toMatchObject({ end: 'reset-by-source' });

    const second = await relayed();
    second.server.end('bye');
    expect((await readAll(second.client)).toString()).toBe('bye');
    second.server.resetAndDestroy();
    await expect.poll(() => isDead(second.client)).toBe(true);
    await expect.poll(() => endings.length).toBe(2);
    expect(endings[1]).toMatchObject({ end: 'reset-by-destination' });
  });

  test('a reset of a writer that is held back is passed on, though nobody reads', async () => {
    const { client, server } = await relayed();
    const seen = errorCode(server, false);
    client.write(randomBytes(32 * MIB));
    await stalled(() => connections[0]?.progress().fromSource ?? 0);
    client.resetAndDestroy();
    expect(await ended()).toMatchObject({ end: 'reset-by-source' });
    server.resume();
    expect(await seen).toBe('ECONNRESET');
  });

  test('no byte is lost before an end of stream, and a slow reader holds the writer back', async () => {
    const { client, server } = await relayed();
    const sent = randomBytes(48 * MIB);
    client.end(sent);
    // Nobody reads: the relay must come to a stop by itself, with little more than what sockets hold.
    const stoppedAt = await stalled(() => connections[0]?.progress().fromSource ?? 0);
    expect(stoppedAt).toBeLessThan(16 * MIB);
    expect(await digestOf(server)).toBe(digest(sent));
    server.end();
    client.resume();
    expect(await ended()).toMatchObject({ end: 'closed', fromSource: sent.length, toSource: 0 });
  });

  test('many small segments behind a slow reader arrive whole', async () => {
    // A pipe's slots fill up with small segments long before its bytes do.
    const { client, server } = await relayed();
    const pieces = Array.from({ length: 20_000 }, (_, i) => Buffer.alloc(1 + (i % 90), i));
    for (const piece of pieces) client.write(piece);
    client.end();
    await sleep(50);
    expect(await digestOf(server)).toBe(digest(Buffer.concat(pieces)));
  });

  test('bulk both ways at once, with pauses and small messages between', async () => {
    const { client, server } = await relayed();
    const up = Array.from({ length: 200 }, (_, i) => randomBytes(i % 10 === 0 ? 400_000 : 1 + i));
    const down = Array.from({ length: 200 }, (_, i) => randomBytes(i % 7 === 0 ? 300_000 : 1 + i));
    const received = Promise.all([digestOf(server), digestOf(client)]);
    await Promise.all([sendSlowly(client, up), sendSlowly(server, down)]);
    expect(await received).toEqual([digest(Buffer.concat(up)), digest(Buffer.concat(down))]);
    const bytes = { fromSource: Buffer.concat(up).length, toSource: Buffer.concat(down).length };
    expect(await ended()).toMatchObject({ end: 'closed', ...bytes });
  });

  test('more bulk flows than there are pipes all arrive', async () => {
    const flows = await relayedTimes(80);
    const sent = randomBytes(4 * MIB);
    for (const { client } of flows) client.end(sent);
    await sleep(100); // all are held back: each holds a pipe, or bytes of its own
    const digests = await Promise.all(flows.map(({ server }) => digestOf(server)));
    expect(new Set(digests)).toEqual(new Set([digest(sent)]));
  });

  test('an idle source that has vanished is given up after the peer timeout, one that comes back before is not', async () => {
    const [gone, back] = await relayedTimes(2);
    if (gone === undefined || back === undefined) throw new Error('two flows were asked for');
    const seen = errorCode(gone.server);
    onTestFinished(vanish(gone.client.localPort ?? 0));
    const reappear = vanish(back.client.localPort ?? 0);
    const startedAt = performance.now();
    await sleep(OUTAGE_MS);
    reappear();
    expect(await seen).toBe('ECONNRESET');
    expect(performance.now() - startedAt).toBeGreaterThan(PEER_TIMEOUT_MS - 1_000); // a probe's answer may be that old
    expect(performance.now() - startedAt).toBeLessThan(2 * PEER_TIMEOUT_MS);
    expect(await ended()).toMatchObject({ end: 'peer-timeout', error: 'ETIMEDOUT' });
    back.client.end('still here');
    expect((await readAll(back.server)).toString()).toBe('still here');
  });

  test.each(['in-line', 'apart'] as const)('urgent data that the app reads %s', async (how) => {
    const port = 90;
    const server = spawn(urgentTool(), ['serve', String(port), how], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    server.stdout.on('data', (chunk) => {
      said += chunk;
    });
    await once(server.stdout, 'data');
    dialled += 1;
    const exited = once(server, 'exit');
    const { client: from, app: to } = ADDRESSES[4];
    await once(spawn(urgentTool(), ['send', from, to, String(port)], { stdio: 'inherit' }), 'exit');
    await exited;
    // No byte of the stream is ever lost. That one was urgent, only the native relay can pass on.
    if (how === 'in-line' || kind === 'node') expect(said).toBe('listening\nab!cd\n');
    else expect(said).toBe('listening\nabcd\nurgent !\n');
  });

  test('an idle flow is probed on both legs, so that connection tracking does not forget it', async () => {
    await relayed();
    const idle = execFileSync('ss', ['-tnoH', 'state', 'established'], { encoding: 'utf8' }).split('\n');
    const probed = idle.filter((line) => line.includes('timer:(keepalive,')).join('\n');
    expect(probed).toMatch(/ 10\.9\.0\.2:80 +10\.9\.0\.1:\d+ /);
    expect(probed).toMatch(/ 10\.9\.0\.1:\d+ +10\.9\.0\.2:80 /);
  });

  test('a destination that does not listen is unreachable', async () => {
    const client = dial(4, CLOSED_PORT);
    await errorCode(client);
    expect(await ended()).toMatchObject({ end: 'unreachable', error: 'ECONNREFUSED' });
  });

  test('what is not admitted is reset, and nothing reaches the app', async () => {
    decide = (connection) => connection.reset();
    let reached = 0;
    app.on('connection', () => {
      reached += 1;
    });
    relay.forgetAdmissions();
    const client = dial();
    client.write('hello');
    expect(await errorCode(client)).toBe('ECONNRESET');
    expect(await ended()).toMatchObject({ end: 'reset', fromSource: 0, toSource: 0 });
    expect(reached).toBe(0);
  });

  test('an admission is not remembered beyond its being forgotten', async () => {
    await relayed();
    await relayed();
    relay.forgetAdmissions();
    decide = (connection) => {
      expect(connection.admitted).toBe(false);
      connection.reset();
    };
    const client = dial();
    expect(await errorCode(client)).toBe('ECONNRESET');
  });

  test('what was admitted from memory has been reported when that is forgotten', async () => {
    await relayedTimes(threads);
    for (let i = 0; i < 10; i += 1) {
      const accepted = once(app, 'connection');
      dial();
      open.add((await accepted)[0]);
      relay.forgetAdmissions();
      expect(connections.length).toBe(dialled);
      await relayedTimes(threads);
    }
  });

  test('a waiting connection that is finished ends in order', async () => {
    decide = (connection) => connection.finish();
    relay.forgetAdmissions();
    const client = dial();
    expect((await readAll(client)).length).toBe(0);
    client.end();
    expect(await ended()).toMatchObject({ end: 'closed' });
  });

  test('live flows that are reset see a reset at both ends, sources first', async () => {
    const flows = await relayedTimes(50);
    const seen = flows.flatMap(({ client, server }) => [errorCode(client), errorCode(server)]);
    for (const connection of connections) connection.resetSource();
    for (const connection of connections) connection.reset();
    expect(new Set(await Promise.all(seen))).toEqual(new Set(['ECONNRESET']));
    await expect.poll(() => endings.length).toBe(50);
    expect(new Set(endings.map(({ end }) => end))).toEqual(new Set(['reset']));
  });

  test('a flow that ends by itself while it is reset ends once', async () => {
    const flows = await relayedTimes(50);
    for (const [i, { client, server }] of flows.entries()) {
      if (i % 2 === 0) client.resetAndDestroy();
      else server.resetAndDestroy();
      connections[i]?.reset();
    }
    await expect.poll(() => endings.length).toBe(50);
    await sleep(20);
    expect(endings.length).toBe(50);
  });

  test('a thousand short connections leave no descriptor behind', async () => {
    app.removeAllListeners('connection');
    app.on('connection', (server) =>
      server
        .on('error', () => {})
        .resume()
        .end('x'),
    );
    const before = socketCount();
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const client = dial();
          const answer = await readAll(client);
          client.end();
          expect(answer.toString()).toBe('x');
          if (!client.destroyed) await once(client, 'close');
          open.delete(client);
        }),
      );
    }
    await expect.poll(() => endings.length).toBe(1_000);
    expect(endings.every(({ end, toSource }) => end === 'closed' && toSource === 1)).toBe(true);
    await expect.poll(() => socketCount()).toBe(before);
    app.removeAllListeners('connection');
  });
});

function isDead(socket: net.Socket): boolean {
  const { _handle } = socket as { _handle?: { fd: number } };
  return _handle !== undefined && sockets.isDead(_handle.fd);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function digestOf(socket: net.Socket): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of socket) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function sendSlowly(socket: net.Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const [i, piece] of pieces.entries()) {
    if (!socket.write(piece)) await once(socket, 'drain');
    if (i % 20 === 0) await sleep(1);
  }
  socket.end();
}

/** Waits until a count has stood still for a while; returns it. */
async function stalled(count: () => number): Promise<number> {
  for (let last = -1; ; ) {
    const now = count();
    if (now === last && now > 0) return now;
    last = now;
    await sleep(100);
  }
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

function socketCount(): number {
  return descriptors().filter((target) => target.startsWith('socket:')).length;
}

/** Kinds of what else a relay opens. */
function otherDescriptors(): string[] {
  const kinds = ['pipe:', 'anon_inode:[eventpoll]', 'anon_inode:[eventfd]'];
  return descriptors()
    .flatMap((target) => kinds.find((kind) => target.startsWith(kind)) ?? [])
    .sort();
}

function listeningOn(port: number): boolean {
  try {
    sockets.close(sockets.listenTransparent(4, '127.0.0.1', port, 1));
    return false;
  } catch {
    return true;
  }
}
