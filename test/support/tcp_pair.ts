/** Real TCP connections on loopback for relay tests. */
import { once } from 'node:events';
import net from 'node:net';

/** Both ends of one connection, half-open allowed; `far` is the accepted end. */
export interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

export async function tcpPair(): Promise<Pair> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const near = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  await once(near, 'connect');
  const [far] = await accepted;
  server.close();
  for (const socket of [near, far]) socket.on('error', () => {});
  return { near, far };
}

/** All bytes until the end of the stream. Rejects with the socket's error. */
export function readAll(socket: net.Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks)));
    socket.resume();
    socket.on('error', reject);
  });
}

/** The code of the error that ends the socket. */
export function errorCode(socket: net.Socket): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.on('end', () => reject(new Error('ended in order, no error')));
    socket.resume();
  });
}
