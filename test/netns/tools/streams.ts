/** What a test reads of a TCP connection. */
import { once } from 'node:events';
import type net from 'node:net';

/** All bytes until the end of the stream. */
export async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** The code of the error that ends the socket. */
export function errorCode(socket: net.Socket, read = true): Promise<string | undefined> {
  const code = new Promise<string | undefined>((resolve, reject) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.on('end', () => reject(new Error('ended in order, no error')));
  });
  if (read) socket.resume();
  return code;
}
