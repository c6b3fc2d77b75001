/** The status port, which anyone who reaches the pod can ask. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createInjectorMetrics } from '../../../injector/metrics.ts';
import { type StatusServer, startStatusServer } from '../../../injector/status_server.ts';
import { freePorts } from '../../support/free_ports.ts';
import { captureLog, type LogLine } from './captured_log.ts';
import { waitFor } from './wait_for.ts';

const REPLICA = '127.0.0.7';

let port: number;
let server: StatusServer;
let sockets: Socket[];
let lines: LogLine[];
/** How often each page was worked out. */
let made: { metrics: number; enforcing: number };

beforeEach(async () => {
  sockets = [];
  made = { metrics: 0, enforcing: 0 };
  [port = 0] = await freePorts(1);
  const metrics = createInjectorMetrics(() => {
    made.metrics += 1;
  });
  const parts = {
    tables: () => undefined,
    source: { refresh: async () => {} },
    metrics,
    enforcing: (since: unknown) => {
      made.enforcing += 1;
      return { replica: 'a', enforcing: {}, ...(since === undefined ? {} : { since }) };
    },
    sessions: () => ({ replica: 'a', sessions: 7 }),
    replicas: () => [REPLICA],
    unhealthy: () => undefined,
    unready: () => undefined,
  };
  const captured = captureLog();
  lines = captured.lines;
  server = await startStatusServer(parts, { port }, captured.log); // at all addresses, as in a pod
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
});

function get(path: string, localAddress = '127.0.0.1'): Promise<{ code: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, localAddress, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, body }));
    });
    asked.on('error', reject).end();
  });
}

function open(localAddress: string): Socket {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

test('a page is worked out once for all who ask at about the same time', async () => {
  const startedMs = performance.now();
  for (let round = 0; round < 10; round += 1) {
    const answers = await Promise.all(
      ['127.0.0.2', '127.0.0.3', '127.0.0.4', REPLICA].map((address) => get('/metrics', address)),
    );
    expect(answers.every(({ code }) => code === 200)).toBe(true);
    expect((await get('/enforcing', REPLICA)).code).toBe(200);
  }
  const pages = 1 + Math.floor((performance.now() - startedMs) / 1_000);
  expect(made.metrics).toBeLessThanOrEqual(pages);
  expect(made.enforcing).toBeLessThanOrEqual(pages);
  await delay(1_000);
  await get('/enforcing', REPLICA);
  expect(made.enforcing).toBeGreaterThan(1); // and again when it is old
});

test('what sidecars enforce is given to other replicas only', async () => {
  expect((await get('/enforcing')).code).toBe(403);
  expect(made.enforcing).toBe(0);
  expect(await get('/enforcing', REPLICA)).toEqual({ code: 200, body: '{"replica":"a","enforcing":{}}\n' });
});

test('a replica that names what it knows is told what has changed since', async () => {
  const of = async (query: string) => JSON.parse((await get(`/enforcing${query}`, REPLICA)).body).since;
  expect(await of('?run=r&since=7')).toEqual({ run: 'r', at: 7 });
  expect(await of('?run=&since=0')).toEqual({ run: '', at: 0 });
  expect(await of('?run=r&since=x')).toEqual({ run: 'r', at: 0 });
  expect(await of('?run=r')).toBeUndefined();
  expect(made.enforcing).toBe(4);
});

test('how many sidecars it carries is said to other replicas only', async () => {
  expect((await get('/sessions')).code).toBe(403);
  expect(await get('/sessions', REPLICA)).toEqual({ code: 200, body: '{"replica":"a","sessions":7}\n' });
});

test.each(['//', '//[', 'http://['])(
  'a request for %s, which is no URL, is refused and is no failure',
  async (path) => {
    const socket = open('127.0.0.9');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(`${answer}`).toMatch(/^HTTP\/1\.1 400 /);
    expect(lines).not.toContainEqual(expect.objectContaining({ level: 'error' }));
  },
);

test('who asks again before the answer is cut', async () => {
  const socket = open('127.0.0.9');
  socket.pause(); // and reads nothing
  socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200));
  socket.resume();
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await waitFor(() => socket.closed);
  expect(text.match(/HTTP\/1.1 200/g) ?? []).toHaveLength(0);
});

test('silent connections of many addresses keep no scraper and no kubelet out', async () => {
  let cut = 0;
  for (let address = 1; address <= 20; address += 1)
    for (let count = 0; count < 10; count += 1)
      open(`127.0.4.${address}`).once('close', () => {
        cut += 1;
      });
  await waitFor(() => cut >= 20 * 10 - 64);
  for (let round = 0; round < 5; round += 1) expect((await get('/healthz', '127.0.0.1')).code).toBe(200);
  expect((await get('/healthz', '127.0.4.1')).code).toBe(200);
});

test('connections of one address are bounded in rate; those of another one go on', async () => {
  let refused = 0;
  for (let count = 0; count < 300; count += 1)
    await get('/healthz', '127.0.0.9').catch(() => {
      refused += 1;
    });
  expect(refused).toBeGreaterThan(0);
  expect((await get('/healthz', '127.0.0.8')).code).toBe(200);
});
