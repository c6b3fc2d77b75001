import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { openSockets } from '../../../native/sockets.ts';
import { type RelayEnd, relay, resetSocket, UnreadSockets } from '../../../sidecar/relay.ts';
import { errorCode, type Pair, readAll, tcpPair } from './tcp_pair.ts';

const sockets = openSockets();
const unread = new UnreadSockets(sockets);
const pairs: Pair[] = [];

afterEach(() => {
  for (const { near, far } of pairs.splice(0)) {
    near.destroy();
    far.destroy();
  }
});

/** client <-> [client.far relay app.near] <-> app */
async function relayed() {
  const client = await tcpPair();
  const app = await tcpPair();
  pairs.push(client, app);
  const ended = new Promise<RelayEnd>((resolve) => relay(client.far, app.near, { sockets, unread }, resolve));
  return { client: client.near, app: app.far, inner: [client.far, app.near] as const, ended };
}

test('the source may finish first and still gets the whole answer', async () => {
  const { client, app, ended } = await relayed();
  client.end('question');
  expect((await readAll(app)).toString()).toBe('question');
  app.write('answer ');
  app.end('after the end');
  expect((await readAll(client)).toString()).toBe('answer after the end');
  expect(await ended).toBe('closed');
});

test('the destination may finish first and still gets all that follows', async () => {
  const { client, app, ended } = await relayed();
  app.end('greeting');
  expect((await readAll(client)).toString()).toBe('greeting');
  client.end('more');
  expect((await readAll(app)).toString()).toBe('more');
  expect(await ended).toBe('closed');
});

test('a reset of the source reaches the destination as a reset', async () => {
  const { client, app, ended } = await relayed();
  const seen = errorCode(app);
  client.resetAndDestroy();
  expect(await seen).toBe('ECONNRESET');
  expect(await ended).toBe('reset-by-source');
});

test('a reset of the destination reaches the source as a reset', async () => {
  const { client, app, ended } = await relayed();
  const seen = errorCode(client);
  app.resetAndDestroy();
  expect(await seen).toBe('ECONNRESET');
  expect(await ended).toBe('reset-by-destination');
});

test('a reset that follows the end of a stream is passed on, either way', async () => {
  const first = await relayed();
  first.client.end('bye');
  expect((await readAll(first.app)).toString()).toBe('bye');
  first.client.resetAndDestroy();
  await vi.waitFor(() => expect(isDead(first.app)).toBe(true));
  expect(await first.ended).toBe('reset-by-source');

  const second = await relayed();
  second.app.end('bye');
  expect((await readAll(second.client)).toString()).toBe('bye');
  second.app.resetAndDestroy();
  await vi.waitFor(() => expect(isDead(second.client)).toBe(true));
  expect(await second.ended).toBe('reset-by-destination');
});

test('a reset of a writer that is held back is passed on, though nobody reads', async () => {
  const { client, app, inner, ended } = await relayed();
  const seen = errorCode(app);
  app.pause();
  client.write(randomBytes(32 * 1024 * 1024));
  await vi.waitFor(() => expect(inner[0].isPaused()).toBe(true));
  client.resetAndDestroy();
  expect(await ended).toBe('reset-by-source');
  app.resume();
  expect(await seen).toBe('ECONNRESET');
});

/** Node itself does not notice a reset after the end of a stream: the kernel is asked. */
function isDead(socket: net.Socket): boolean {
  const { _handle } = socket as { _handle?: { fd: number } };
  return _handle !== undefined && sockets.isDead(_handle.fd);
}

test('no byte is lost before an end of stream, and a slow reader holds the writer back', async () => {
  const { client, app, inner, ended } = await relayed();
  const sent = randomBytes(48 * 1024 * 1024);
  const pushed = new Promise((resolve) => client.end(sent, () => resolve(undefined)));
  await once(app, 'readable');
  await sleep(200); // nobody reads: the relay must come to a stop by itself
  const waiting = inner[0].bytesRead - (inner[1].bytesWritten - inner[1].writableLength);
  expect(inner[1].writableLength).toBeLessThanOrEqual(256 * 1024);
  expect(waiting).toBeLessThanOrEqual(512 * 1024);
  const received = createHash('sha256');
  app.on('data', (chunk: Buffer) => received.update(chunk));
  await once(app, 'end');
  app.end();
  client.resume();
  await pushed;
  expect(received.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  expect(await ended).toBe('closed');
});

test('a socket whose end waits for unsent bytes can be reset, and leaves no descriptor', async () => {
  const before = openSocketCount();
  const { near, far } = await tcpPair();
  const seen = errorCode(far);
  far.pause();
  near.end(Buffer.alloc(32 * 1024 * 1024)); // more than the kernel takes: the end waits
  await sleep(50);
  resetSocket(near, sockets);
  far.resume();
  expect(await seen).toBe('ECONNRESET');
  far.destroy();
  await sleep(20);
  expect(openSocketCount()).toBe(before);
});

function openSocketCount(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}
