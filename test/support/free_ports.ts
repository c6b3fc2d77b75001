/** Ports that nobody listens on, for processes that have to be told theirs. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** All at once, so that they differ; free again when this returns. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
