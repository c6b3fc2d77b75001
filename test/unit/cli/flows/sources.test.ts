/** Where flows come from: files, the socket of an injector, and pages of sidecars behind a forwarded port. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { forwardedPage } from '../../../../cli/flows/direct/forwarded_page.ts';
import { createInjectorSource, createLinesSource, type FlowSource } from '../../../../cli/flows/index.ts';
import type { FlowQuestion, ObservedFlow } from '../../../../flows/index.ts';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { edge } from '../../../builders/observed_flows.ts';
import { forwardingApi } from '../../../support/forwarding_api.ts';

const ALWAYS: FlowQuestion = { since: 0, until: Number.MAX_SAFE_INTEGER };
const web = edge('shop/deploy/web', 'shop/deploy/cart');
const denied = edge('shop/deploy/cart', 'shop/sts/db', { outcome: 'deny' });
const never = new AbortController().signal;

function lines(...all: readonly unknown[]): string {
  return all.map((one) => (typeof one === 'string' ? `${one}\n` : `${JSON.stringify(one)}\n`)).join('');
}

function file(text: string): FlowSource {
  const path = join(temporaryDirectory(), 'flows.ndjson');
  writeFileSync(path, text);
  return createLinesSource({ path });
}

async function followed(source: FlowSource, question: FlowQuestion, most = 10): Promise<ObservedFlow[]> {
  const found: ObservedFlow[] = [];
  for await (const one of source.follow(question, never)) if (found.push(one) === most) break;
  return found;
}

test('a file says what it has, and since when', async () => {
  const answer = await file(lines(web, '', denied)).ask({ ...ALWAYS, outcomes: ['deny'] });
  expect(answer).toEqual({
    since: '2026-11-30T12:00:00.000Z',
    until: '2026-11-30T12:01:00.000Z',
    observed_since: '2026-11-30T12:00:00.000Z',
    lost: [],
    flows: [denied],
  });
});

test('an empty file has no flows', async () => {
  expect((await file('').ask(ALWAYS)).flows).toEqual([]);
});

test.each([
  ['is no JSON', '{"src"', /line 2: the flow is not JSON/],
  ['is no flow', '{"schema":"x"}', /line 2: the flow\.src is missing/],
  ['has a time that is none', { ...web, last: 'now' }, /line 2: the flow\.last is no time/],
  ['is too long', 'x'.repeat(300 * 1024), /line 2: longer than 256 KiB/],
])('a line that %s is an error with its number', async (_, line, message) => {
  const asked = file(lines(web, line)).ask(ALWAYS);
  await expect(asked).rejects.toMatchObject({
    code: 'FLOWS_UNREADABLE',
    message: expect.stringMatching(message),
  });
});

test('a file that is not there is an error', async () => {
  const asked = createLinesSource({ path: '/nowhere/flows' }).ask(ALWAYS);
  await expect(asked).rejects.toMatchObject({ code: 'FLOWS_UNREADABLE' });
});

test('standard input is followed, in pieces of any size', async () => {
  const text = lines(web, denied);
  const standardInput = Readable.from([...text].map((letter) => Buffer.from(letter)));
  const source = createLinesSource({ path: '-', standardInput });
  expect(await followed(source, { ...ALWAYS, outcomes: ['deny'] })).toEqual([denied]);
});

async function injector(listener: RequestListener): Promise<FlowSource> {
  const path = join(temporaryDirectory(), 'status.sock');
  const server = createServer(listener).listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return createInjectorSource(path, 'the injector of lab x', never);
}

const ANSWER = { since: 'a', until: 'b', observed_since: 'c', lost: [], flows: [web] };

test('an injector gets the question, and its answer is what it says', async () => {
  const asked: unknown[] = [];
  const source = await injector(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    asked.push([request.method, request.url, JSON.parse(body)]);
    response.end(JSON.stringify(ANSWER));
  });
  expect(await source.ask(ALWAYS)).toEqual(ANSWER);
  expect(asked).toEqual([['POST', '/observe', ALWAYS]]);
});

test('an injector is followed line by line', async () => {
  let asked: unknown;
  const source = await injector(async (request, response) => {
    asked = [request.url, JSON.parse(Buffer.concat(await request.toArray()).toString())];
    response.write(lines(web));
    setTimeout(() => response.write(lines(denied)), 10);
  });
  const question: FlowQuestion = { since: 1, until: 2, ports: [80], groupBy: ['src'], limit: 1 };
  expect(await followed(source, question, 2)).toEqual([web, denied]);
  // What is to come has no end: the span of the question would let nothing through.
  expect(asked).toEqual(['/observe?follow=1', { ...ALWAYS, ports: [80] }]);
});

test.each<[string, RequestListener, RegExp]>([
  [
    'one that collects nothing',
    (_, response) => response.writeHead(404).end(),
    /collects no flows; --direct/,
  ],
  ['one that fails', (_, response) => response.writeHead(503).end('starting\n'), /answers 503: starting/],
  ['another form', (_, response) => response.end('{}'), /the answer\.since is missing/],
  [
    'an answer that breaks off',
    (_, response) => void response.write('{', () => response.destroy()),
    /lab x: /,
  ],
])('%s is an error that says so', async (_, listener, message) => {
  const source = await injector(listener);
  await expect(source.ask(ALWAYS)).rejects.toMatchObject({
    code: 'FLOWS_UNREADABLE',
    message: expect.stringMatching(message),
  });
});

test('an injector that is not there is an error', async () => {
  const source = createInjectorSource('/nowhere/socket', 'the injector of lab x', never);
  await expect(source.ask(ALWAYS)).rejects.toMatchObject({ code: 'FLOWS_UNREADABLE' });
});

async function page(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const WEB = { namespace: 'shop', pod: 'web-1', port: 15_021, path: '/flows' };

test('a page comes through a forwarded port, and nothing stays open', async () => {
  const long = 'ü'.repeat(50_000);
  const port = await page(({ url }, response) =>
    response.setHeader('content-length', 100_000).end(url === '/flows' ? long : ''),
  );
  const { config, open } = await forwardingApi({ 'shop/web-1/15021': port });
  expect(await forwardedPage(config, WEB, never)).toBe(long);
  await expect.poll(open).toBe(0);
});

test.each<[string, number | { status: number } | RequestListener, RegExp]>([
  [
    'a user without the right',
    { status: 403 },
    /may not create pods\/portforward \(kubectl auth can-i .* -n shop\)/,
  ],
  ['a pod that is gone', { status: 404 }, /the pod is gone/],
  ['a pod without a sidecar', 1, /its sidecar does not run/],
  [
    'a sidecar that refuses',
    (_, response) => response.writeHead(403, { 'content-length': 2 }).end('no'),
    /answers 403: no/,
  ],
  [
    'what is no sidecar',
    (_, response) => void response.write('hello', () => response.end()),
    /not that of a sidecar/,
  ],
  [
    'an answer that ends early',
    (_, response) =>
      void response.writeHead(200, { 'content-length': 9 }).write('x', () => response.destroy()),
    /ended before/,
  ],
])('%s is said', async (_, target, message) => {
  const port = typeof target === 'function' ? await page(target) : target;
  const { config } = await forwardingApi({ 'shop/web-1/15021': port });
  await expect(forwardedPage(config, WEB, never)).rejects.toThrow(message);
});

test('nobody waits longer than the command', async () => {
  const port = await page(() => undefined);
  const { config, open } = await forwardingApi({ 'shop/web-1/15021': port });
  const over = new AbortController();
  const asked = forwardedPage(config, WEB, over.signal);
  setTimeout(() => over.abort(), 50);
  await expect(asked).rejects.toThrow('no answer');
  await expect.poll(open).toBe(0);
});
