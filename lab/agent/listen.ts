/** Listens in the agent's namespace where no app does, so that what gets there is answered. Ends with the agent. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { codeOf } from '../../common/errno.ts';
import { familyOf } from '../../common/net.ts';
import type { ListenRequest, ListenResult } from './protocol.ts';

/** Answers as the app of a pod does: a line with the address of the peer. Somebody else who listens there may answer as well. */
export async function listen({ protocol, address, port }: ListenRequest): Promise<ListenResult> {
  try {
    await (protocol === 'TCP' ? listenTcp(address, port) : listenUdp(address, port));
    return { listening: true };
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return { listening: false };
    throw error;
  }
}

function listenTcp(host: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(`${socket.remoteAddress ?? ''}\n`));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, resolve);
  });
}

function listenUdp(address: string, port: number): Promise<void> {
  const socket = createSocket(`udp${familyOf(address)}`);
  socket.on('message', (_, from) => socket.send(`${from.address}\n`, from.port, from.address));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, resolve);
  });
}
