/** Connections that are being opened: no process has them yet, but they can be listed and destroyed. */
import { once } from 'node:events';
import net from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  destroySockets,
  SOCKET_STATES,
  type TcpSocket,
  tcpSockets,
} from '../../sidecar/kernel/tcp_sockets.ts';
import { ADDRESSES, enterOwnNamespace, vanish } from './tools/own_namespace.ts';

beforeAll(enterOwnNamespace);

async function listed(port: number, states?: number): Promise<readonly TcpSocket[]> {
  const found: TcpSocket[] = [];
  for await (const some of tcpSockets((local) => local.port === port, states)) found.push(...some);
  return found;
}

test.each([4, 6] as const)('a connection over IPv%s whose handshake is not complete', async (family) => {
  const { client, app } = ADDRESSES[family];
  const server = net.createServer().listen(0, app);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  onTestFinished(vanish(port)); // its SYN-ACKs do not arrive
  const socket = net.connect({ port, host: app, localAddress: client }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await expect
    .poll(() => listed(port, SOCKET_STATES.arriving))
    .toMatchObject([{ remote: { address: client } }]);
  expect(await listed(port)).toEqual([]);
  const arriving = await listed(port, SOCKET_STATES.live | SOCKET_STATES.arriving);
  expect(arriving).toMatchObject([{ local: { address: app, port }, bytesSent: 0, bytesReceived: 0 }]);
  socket.destroy(); // so that it sends no second SYN
  expect(await destroySockets(arriving)).toEqual([0]);
  expect(await listed(port, SOCKET_STATES.arriving)).toEqual([]);
});
