/** Who may ask the server of the dashboard, and what it does with those who may not. */
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import type { DashboardServer, Shown } from '../../../../cli/dashboard/server/index.ts';
import { startDashboardServer } from '../../../../cli/dashboard/server/index.ts';
import { edge } from '../../../builders/observed_flows.ts';
import { dashboardFacts, FlowDouble } from '../../../support/dashboard_double.ts';

let server: DashboardServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(parts: Partial<Shown> = {}): Promise<DashboardServer> {
  server = await startDashboardServer(
    {
      flows: new FlowDouble([edge('shop/deploy/web', 'shop/deploy/cart')]),
      facts: async () => dashboardFacts(),
      page: new Map([['/', { type: 'text/html', body: Buffer.from('the page') }]]),
      question: {},
      ...parts,
    },
    0,
  );
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `fetch` would not let a test choose `Host` and `Origin`. */
function ask(path: string, headers: OutgoingHttpHeaders = {}, method = 'GET', body = ''): Promise<Answer> {
  const port = server?.port ?? 0;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: false,
        headers: { host: `127.0.0.1:${port}`, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const origin = () => `http://127.0.0.1:${server?.port}`;

const exchange = (token: string, headers: OutgoingHttpHeaders = { origin: origin() }) =>
  ask('/api/session', headers, 'POST', JSON.stringify({ token }));

const tokenOf = (link: string) => new URL(link).hash.replace('#token=', '');

async function session(): Promise<OutgoingHttpHeaders> {
  const { body } = await exchange(tokenOf(server?.link() ?? ''));
  return { authorization: `Bearer ${JSON.parse(body).session}` };
}

test('a token works once, and data need the session that it opens', async () => {
  const { link } = await start();
  const token = tokenOf(link());
  expect((await ask('/api/facts')).status).toBe(401);
  expect((await ask('/api/facts', { authorization: `Bearer ${token}` })).status).toBe(401);
  const first = await exchange(token);
  expect(first.status).toBe(200);
  expect((await exchange(token)).status).toBe(401);
  const authorization = `Bearer ${JSON.parse(first.body).session}`;
  expect(JSON.parse((await ask('/api/facts', { authorization })).body)).toEqual(dashboardFacts());
  expect((await ask('/api/facts', { authorization: `${authorization}x` })).status).toBe(401);
  // The secret goes in a header alone: cookies of 127.0.0.1 are every port's.
  expect(first.headers['set-cookie']).toBeUndefined();
});

test('each link has a token of its own', async () => {
  const { link } = await start();
  const links = [link(), link()];
  expect(new Set(links).size).toBe(2);
  for (const one of links) expect((await exchange(tokenOf(one))).status).toBe(200);
});

test.each([
  ['a name that has been bound to 127.0.0.1', { host: 'attacker.example' }, 421],
  ['that name with the right port', (port: number) => ({ host: `attacker.example:${port}` }), 421],
  ['another port', { host: '127.0.0.1:1' }, 421],
  ['another origin', { origin: 'https://attacker.example' }, 403],
  ['the opaque origin of a sandboxed frame', { origin: 'null' }, 403],
  ['a page of another port of 127.0.0.1', { origin: 'http://127.0.0.1:1' }, 403],
  ['a request that another site caused', { 'sec-fetch-site': 'cross-site' }, 403],
  ['a request that another port caused', { 'sec-fetch-site': 'same-site' }, 403],
])('refuses %s, also with a session', async (_, headers, status) => {
  const { port } = await start();
  const given = typeof headers === 'function' ? headers(port) : headers;
  const known = await session();
  for (const path of ['/', '/api/facts', '/api/live'])
    expect((await ask(path, { ...known, ...given })).status, path).toBe(status);
});

test('gives a session to its own page only', async () => {
  const { link } = await start();
  for (const headers of [{}, { origin: 'https://attacker.example' }])
    expect((await exchange(tokenOf(link()), headers)).status).toBe(403);
});

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND'])(
  'refuses %s',
  async (method) => {
    await start();
    const known = { ...(await session()), origin: origin() };
    for (const path of ['/', '/api/facts', '/api/flows?span=all'])
      expect((await ask(path, known, method)).status, path).toBe(405);
    expect((await ask('/api/session', known)).headers.allow).toBe('POST');
  },
);

test('every answer forbids scripts of others, frames, sniffing and keeping', async () => {
  await start();
  const answers = [await ask('/'), await ask('/api/facts'), await ask('/', { host: 'attacker.example' })];
  for (const { headers } of answers) {
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    expect(Object.keys(headers).some((name) => name.startsWith('access-control-'))).toBe(false);
  }
});

test('listens on 127.0.0.1 and nowhere else', async () => {
  const { port } = await start();
  const others = Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .map(({ address }) => address)
    .filter((address) => !address.startsWith('127.') && !address.startsWith('fe80'));
  for (const host of [...others, '::1']) {
    const code = await new Promise((resolve) => {
      const socket = connect({ host, port }, () => {
        socket.destroy();
        resolve('connected');
      });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(code, host).not.toBe('connected');
  }
});

test('asks for the span that the page names, within the namespaces of the command', async () => {
  const flows = new FlowDouble();
  await start({ flows, question: { namespaces: ['shop'] } });
  const known = await session();
  expect((await ask('/api/flows?span=900', known)).status).toBe(200);
  const [{ since = 0, until = 0, namespaces } = {}] = flows.questions;
  expect([until - since, namespaces]).toEqual([900_000, ['shop']]);
  for (const span of ['', '-1', '1e9', 'never', '9999999999'])
    expect((await ask(`/api/flows?span=${span}`, known)).status, span).toBe(400);
});

test('a large answer is whole', async () => {
  const flows = Array.from({ length: 1_001 }, (_, at) => edge(`shop/deploy/web-${at}`, 'shop/deploy/cart'));
  await start({ flows: new FlowDouble(flows) });
  const { body } = await ask('/api/flows?span=all', await session());
  expect(JSON.parse(body).flows).toHaveLength(1_001);
});

test('bounds what it reads, and says what went wrong', async () => {
  await start({
    facts: async () => {
      throw new Error('the lab is gone');
    },
  });
  expect((await ask('/api/session', { origin: origin() }, 'POST', 'x'.repeat(5_000))).status).toBe(413);
  expect((await ask('/api/session', { origin: origin() }, 'POST', '{}')).status).toBe(400);
  const { status, body } = await ask('/api/facts', await session());
  expect([status, JSON.parse(body)]).toEqual([502, { problem: 'the lab is gone' }]);
  expect((await ask('/api/../../etc/passwd', await session())).status).toBe(404);
});

test('streams flows to a few pages, and ends with them and with the server', async () => {
  const flows = new FlowDouble();
  await start({ flows });
  const known = await session();
  const streams = Array.from({ length: 8 }, () => openStream(known));
  const heard = await Promise.all(streams);
  await expect.poll(() => flows.followers).toBe(8);
  expect((await ask('/api/live', known)).status).toBe(503);
  flows.observe(edge('shop/deploy/web', 'shop/deploy/cart', { reason: 'line\nend' }));
  for (const stream of heard)
    await expect.poll(stream.text).toMatch(/event: flow\ndata: \{.*line\\nend.*\}\n\n/);
  heard[0]?.close();
  await expect.poll(() => flows.followers).toBe(7);
  await server?.close();
  await expect.poll(() => flows.followers).toBe(0);
});

function openStream(headers: OutgoingHttpHeaders): Promise<{ text(): string; close(): void }> {
  const port = server?.port ?? 0;
  return new Promise((resolve, reject) => {
    let text = '';
    const asked = request(
      { host: '127.0.0.1', port, path: '/api/live', agent: false, headers },
      (response) => {
        response.setEncoding('utf8');
        response.on('error', () => undefined);
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        resolve({ text: () => text, close: () => asked.destroy() });
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}
