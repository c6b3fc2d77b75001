/** What other replicas enforce is added up from what has changed there; one that does not answer well counts for nothing. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PeerCounts } from '../../../../../injector/kubernetes/status/peer_counts.ts';
import type { ReplicaCounts } from '../../../../../injector/kubernetes/status/replica_counts.ts';
import { freePorts } from '../../../../support/free_ports.ts';

const ADDRESSES = ['127.0.0.2', '127.0.0.3'];

let port: number;
let servers: Server[];
/** By address: the answers to come, the last one again and again. */
let answers: Map<string, ReplicaCounts[]>;
let asked: string[];
let peers: PeerCounts;

beforeEach(async () => {
  [port = 0] = await freePorts(1);
  servers = [];
  answers = new Map();
  asked = [];
  peers = new PeerCounts('own', port);
});
afterEach(() => {
  for (const server of servers) server.close();
});

/** Answers what is no form of counts. */
async function answerText(address: string, text: string): Promise<void> {
  const server = createServer((_request, response) => response.end(text));
  servers.push(server);
  server.listen(port, address);
  await once(server, 'listening');
}

async function answer(address: string, ...those: ReplicaCounts[]): Promise<void> {
  const isThere = answers.has(address);
  answers.set(address, those);
  if (isThere) return;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const [first, ...others] = answers.get(address) ?? [];
    if (others.length > 0) answers.set(address, others);
    if (first === undefined) request.socket.destroy();
    else response.end(JSON.stringify(first));
  });
  servers.push(server);
  server.listen(port, address);
  await once(server, 'listening');
}

test('replicas are asked at their addresses; silence and nonsense are left out', async () => {
  await answer('127.0.0.2', { replica: 'b', enforcing: { 'shop/allow': 3 } });
  await answerText('127.0.0.3', '{"replica":"c","enforcing":{"shop/allow":-1}}');
  await answerText('127.0.0.4', 'not found');
  await peers.ask(['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5']);
  expect(peers.of('shop/allow')).toBe(3);
});

test('what has changed is asked for, and added to what is known', async () => {
  await answer('127.0.0.2', { replica: 'b', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 2, 'v/1': 1 } });
  expect(await peers.ask(ADDRESSES)).toEqual(new Set(['u/1', 'v/1']));
  await answer('127.0.0.2', { replica: 'b', run: 'r', from: 5, to: 6, enforcing: { 'v/1': 0 } });
  expect(await peers.ask(ADDRESSES)).toEqual(new Set(['v/1']));
  expect([peers.of('u/1'), peers.of('v/1')]).toEqual([2, 0]);
  expect(asked).toEqual(['/enforcing?run=&since=0', '/enforcing?run=r&since=5']);
});

test('a replica that has more to say is asked on', async () => {
  const page = (from: number, more: boolean, version: string) => ({
    ...{ replica: 'b', run: 'r', from, to: from + 1, more },
    enforcing: { [version]: 1 },
  });
  await answer('127.0.0.2', page(0, true, 'u/1'), page(1, true, 'v/1'), page(2, false, 'w/1'));
  await peers.ask(ADDRESSES);
  expect(['u/1', 'v/1', 'w/1'].map((version) => peers.of(version))).toEqual([1, 1, 1]);
});

test('a replica that was started again, or that does not say what has changed, replaces what it said', async () => {
  await answer('127.0.0.2', { replica: 'b', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 2, 'v/1': 1 } });
  await peers.ask(ADDRESSES);
  await answer('127.0.0.2', { replica: 'b', run: 's', from: 0, to: 1, enforcing: { 'v/1': 1 } });
  expect(await peers.ask(ADDRESSES)).toEqual(new Set(['u/1', 'v/1']));
  expect([peers.of('u/1'), peers.of('v/1')]).toEqual([0, 1]);
  await answer('127.0.0.2', { replica: 'b', enforcing: { 'w/1': 1 } });
  await peers.ask(ADDRESSES);
  expect([peers.of('v/1'), peers.of('w/1')]).toEqual([0, 1]);
});

test('a replica that does not answer, or is none any more, counts for nothing', async () => {
  await answer('127.0.0.2', { replica: 'b', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 2 } });
  await answer('127.0.0.3', { replica: 'c', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 3 } });
  await peers.ask(ADDRESSES);
  expect(peers.of('u/1')).toBe(5);
  await answer('127.0.0.2');
  expect(await peers.ask(ADDRESSES)).toContain('u/1');
  expect(peers.of('u/1')).toBe(3);
  await peers.ask(['127.0.0.2']);
  expect(peers.of('u/1')).toBe(0);
});

test('its own answer does not count, and a replica with two addresses counts once', async () => {
  await answer('127.0.0.2', { replica: 'own', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 2 } });
  await answer('127.0.0.3', { replica: 'c', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 3 } });
  await answer('127.0.0.4', { replica: 'c', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 3 } });
  await peers.ask([...ADDRESSES, '127.0.0.4']);
  expect(peers.of('u/1')).toBe(3);
});

test('a wording that no policy has any more is forgotten', async () => {
  await answer('127.0.0.2', { replica: 'b', run: 'r', from: 0, to: 5, enforcing: { 'u/1': 2 } });
  await peers.ask(ADDRESSES);
  peers.forget('u/1');
  expect(peers.of('u/1')).toBe(0);
});
