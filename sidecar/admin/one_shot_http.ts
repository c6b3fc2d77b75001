/**
 * HTTP for the admin port: one GET a connection, of bounded size and time. The port is open to peers that policy denies, in
 * the process that carries everybody's flows, and with node:http a client that pipelines could make that process parse without
 * bound (docs/adr/0009-one-shot-http.md). RFC 9112.
 */

import net from 'node:net';
import { messageOf } from '../../common/errno.ts';

/** A request line and headers; a Prometheus scrape has some 300 bytes. */
const REQUEST_MAX_BYTES = 8_192;

/** From accept to the last byte of the answer taken. */
const CONNECTION_MS = 5_000;

/** A request, as far as it is looked at. */
export interface Request {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly remoteAddress: string;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/**
 * A server, not listening yet.
 * @param admit whether a connection from this address may stay; `left` is to be called when it is over
 */
export function oneShotServer(
  admit: (address: string) => { left(): void } | undefined,
  handle: (request: Request) => Promise<Answer>,
): net.Server {
  const server = net.createServer((socket) => {
    const admitted = admit(socket.remoteAddress ?? '');
    if (admitted === undefined) {
      socket.destroy();
      return;
    }
    const deadline = setTimeout(() => socket.destroy(), CONNECTION_MS);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(deadline);
      admitted.left();
    });
    readHead(socket, (head) => void answer(socket, head, handle));
  });
  server.on('error', () => {}); // accepting failed for want of descriptors: clients try again
  return server;
}

/** Calls `done` once, with the head of the first request, or `undefined` when it is too long; nothing more is read. */
function readHead(socket: net.Socket, done: (head: string | undefined) => void): void {
  let head = '';
  const read = (chunk: Buffer): void => {
    head += chunk.toString('latin1', 0, REQUEST_MAX_BYTES);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0 && head.length < REQUEST_MAX_BYTES) return;
    socket.off('data', read).pause();
    done(end < 0 ? undefined : head.slice(0, end));
  };
  socket.on('data', read);
}

async function answer(
  socket: net.Socket,
  head: string | undefined,
  handle: (request: Request) => Promise<Answer>,
): Promise<void> {
  const { status, type, body } = await respond(socket, head, handle);
  const fields = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? ''}`,
    `content-type: ${type}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${fields.join('\r\n')}\r\n\r\n${body}`, () => {
    // Only the client's end of stream is still of interest.
    socket.on('data', () => socket.destroy());
    socket.resume();
  });
}

async function respond(
  socket: net.Socket,
  head: string | undefined,
  handle: (request: Request) => Promise<Answer>,
): Promise<Answer> {
  if (head === undefined) return refusal(431, 'the request is too long');
  const [method, target, version] = (head.split('\r\n')[0] ?? '').split(' ');
  if (method === undefined || target === undefined || !version?.startsWith('HTTP/1.'))
    return refusal(400, 'this is not HTTP/1.1');
  const path = target.split('?')[0] ?? '/';
  try {
    return await handle({ method, path, remoteAddress: socket.remoteAddress ?? '' });
  } catch (error) {
    return refusal(500, messageOf(error));
  }
}

function refusal(status: number, error: string): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify({ error })}\n` };
}
