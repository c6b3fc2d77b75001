/** What other replicas enforce is added up; one that does not answer well counts for nothing. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { askPeers } from '../../../../../injector/kubernetes/status/peer_counts.ts';
import { freePorts } from '../../../../support/free_ports.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function replica(host: string, port: number, answer: string): Promise<void> {
  const server = createServer((_request, response) => response.end(answer));
  servers.push(server);
  server.listen(port, host);
  await once(server, 'listening');
}

test('replicas are asked at their addresses; silence and nonsense are left out', async () => {
  const [port = 0] = await freePorts(1);
  await replica('127.0.0.2', port, JSON.stringify({ replica: 'b', enforcing: { 'shop/allow': 3 } }));
  await replica('127.0.0.3', port, '{"replica":"c","enforcing":{"shop/allow":-1}}');
  await replica('127.0.0.4', port, 'not found');
  const counts = await askPeers(['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'], port);
  expect(counts).toEqual([{ replica: 'b', enforcing: { 'shop/allow': 3 } }]);
});
