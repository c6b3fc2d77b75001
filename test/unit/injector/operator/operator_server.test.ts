/** The port for users: what it refuses, how much one user gets, and when a stream ends. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { SluiceError } from '../../../../common/errors.ts';
import type { FlowCollector } from '../../../../injector/operator/index.ts';
import {
  type OperatorParts,
  type OperatorServer,
  startOperatorServer,
} from '../../../../injector/operator/operator_server.ts';
import { edgesOf, TestCollector } from '../../../support/kubernetes/observed_shop.ts';
import { TestCertificate } from '../test_credentials.ts';

const QUESTION = '{"since":0,"until":9}';
const LATER = Date.now() + 600_000;

let server: OperatorServer | undefined;
afterEach(() => server?.close());

/** A server whose tokens are names; `rights` are the namespaces that everybody sees. */
async function start(
  parts: Partial<OperatorParts> & { rights?: OperatorParts['rights'] } = {},
): Promise<TestCollector> {
  const collector = new TestCollector(edgesOf('shop', 'other'));
  server = await startOperatorServer(
    {
      collector: () => collector,
      askers: {
        authenticate: async (username) =>
          username === 'bad'
            ? { verdict: 'refused', message: 'the token is refused: as a test has it' }
            : { verdict: 'asker', asker: { username, groups: [], extra: {} }, issuedMs: 0, endsMs: LATER },
      },
      policy: { problemOf: async () => undefined },
      rights: { may: async (_, __, namespace) => namespace === 'shop' },
      namespaces: () => ['shop', 'other'],
      certificate: await TestCertificate.make(),
      log: pino({ enabled: false }),
      ...parts,
    },
    { port: 0, host: '127.0.0.1', followTimes: { beatMs: 50, lookMs: 50 } },
  );
  return collector;
}

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly token?: string;
  readonly body?: string;
}

async function send({
  path = '/observe',
  method = 'POST',
  token = 'alice',
  body = QUESTION,
}: Sent = {}): Promise<IncomingMessage> {
  const headers = {
    ...(token === '' ? {} : { 'x-sluice-token': token }),
    'content-length': Buffer.byteLength(body),
  };
  const target = { host: '127.0.0.1', port: server?.port, path, method, headers };
  const asked = request({ ...target, rejectUnauthorized: false, agent: false });
  asked.on('error', () => undefined);
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

async function answer(sent: Sent = {}): Promise<{ code: number | undefined; body: string }> {
  const response = await send(sent);
  return { code: response.statusCode, body: await text(response) };
}

test.each([
  ['another path', { path: '/metrics' }, 404, 'nothing is at /metrics'],
  ['another method', { method: 'PUT' }, 405, 'wants POST'],
  ['no token', { token: '' }, 401, 'x-sluice-token'],
  ['a bad token', { token: 'bad' }, 401, 'as a test has it'],
  ['no JSON', { body: '{' }, 400, 'no JSON'],
  ['no question', { body: '{}' }, 400, 'question.since is missing'],
  ['a field that nobody knows', { body: '{"since":0,"until":9,"secret":1}' }, 400, 'does not know'],
  ['a large body', { body: `{"since":0,"until":9,"ports":[${'1,'.repeat(40_000)}1]}` }, 413, 'larger than'],
  ['many values', { body: `{"since":0,"until":9,"ports":[${'1,'.repeat(6_000)}1]}` }, 413, 'values'],
  [
    'many namespaces',
    { body: JSON.stringify({ since: 0, until: 9, namespaces: Array(65).fill('shop') }) },
    403,
    '64',
  ],
  [
    'a hidden namespace',
    { body: JSON.stringify({ since: 0, until: 9, namespaces: ['other'] }) },
    403,
    'namespace other',
  ],
])('refuses %s', async (_, sent, code, said) => {
  const collector = await start();
  expect(await answer(sent)).toEqual({ code, body: expect.stringContaining(said) });
  expect(collector.questions).toEqual([]);
});

test('answers with what may be seen', async () => {
  await start();
  const { code, body } = await answer();
  expect(code).toBe(200);
  expect((JSON.parse(body) as { flows: unknown[] }).flows).toHaveLength(3);
});

test('an injector without a collector says so, once it is known who asks', async () => {
  await start({ collector: () => undefined });
  expect(await answer()).toEqual({ code: 501, body: 'this injector collects no flows' });
  expect(await answer({ token: 'bad' })).toMatchObject({ code: 401 });
});

test('a token is not believed while its policy is not in force, and nothing is answered while that cannot be said', async () => {
  await start({ policy: { problemOf: async () => 'there is no such policy' } });
  expect(await answer()).toEqual({ code: 401, body: 'there is no such policy' });
  await server?.close();
  const unchecked = () => Promise.reject(new SluiceError('RIGHTS_UNCHECKED', 'the API server is away'));
  const collector = await start({ rights: { may: unchecked } });
  expect(await answer()).toEqual({ code: 503, body: 'the API server is away' });
  expect(collector.questions).toEqual([]);
});

test('with many namespaces somebody who may not see all has to name some', async () => {
  await start({ namespaces: () => Array.from({ length: 65 }, (_, index) => `n${index}`) });
  expect(await answer()).toMatchObject({ code: 403, body: expect.stringContaining('name some') });
});

test('one user has a few questions at once, and others are answered all the same', async () => {
  const never: FlowCollector = {
    ask: () => new Promise(() => undefined),
    follow: () => new TestCollector([]).follow({ since: 0, until: 9 }, new AbortController().signal),
  };
  const collector = new TestCollector([]);
  let busy = true;
  await start({ collector: () => (busy ? never : collector) });
  const waiting = Array.from({ length: 4 }, () => send().catch(() => undefined));
  await expect.poll(async () => (await answer()).code).toBe(429);
  busy = false;
  expect(await answer({ token: 'bob' })).toMatchObject({ code: 200 });
  await server?.close();
  server = undefined;
  void waiting;
});

test('a user who asks too often waits', async () => {
  await start();
  const codes: (number | undefined)[] = [];
  for (let count = 0; count < 60; count += 1) codes.push((await answer()).code);
  expect(codes.slice(0, 20)).toEqual(Array(20).fill(200));
  expect(codes).toContain(429);
});

test('a stream has a line for each flow, empty ones while nothing comes, and ends with the reader', async () => {
  const collector = await start();
  const response = await send({ path: '/observe?follow=1' });
  let said = '';
  for await (const chunk of response) {
    said += String(chunk);
    if (said.endsWith('\n\n')) break;
  }
  expect(said.trim().split('\n')).toHaveLength(3);
  expect(said).not.toContain('deploy/spy","pod"');
  response.destroy();
  await expect.poll(() => collector.ended).toBe(1);
});

test('a stream ends when a right is withdrawn, or cannot be confirmed', async () => {
  let sees = true;
  const collector = await start({
    rights: { may: async (_, __, namespace) => sees && namespace === 'shop' },
  });
  const response = await send({ path: '/observe?follow=1' });
  response.once('data', () => {
    sees = false;
  });
  await text(response);
  expect(collector.ended).toBe(1);
});

test('a stream ends with its token', async () => {
  const ends = Date.now() + 300;
  const asker = { username: 'alice', groups: [], extra: {} };
  await start({
    askers: { authenticate: async () => ({ verdict: 'asker', asker, issuedMs: 0, endsMs: ends }) },
  });
  const response = await send({ path: '/observe?follow=1' });
  await text(response);
  expect(Date.now()).toBeGreaterThanOrEqual(ends);
});
