/**
 * The part of an API server that forwards ports of pods: WebSocket with the channels of `v4.channel.k8s.io`, each message with
 * the number of its stream first. Source: RFC 6455, and `pods/portforward` of the Kubernetes API.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { KubeConfig } from '@kubernetes/client-node';
import { onTestFinished } from 'vitest';

/** Of the handshake. Source: RFC 6455, 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const DATA = 0;
const ERRORS = 1;
const BINARY = 0x82;
const CLOSE = 0x88;

/** What is forwarded, by `NAMESPACE/POD/PORT`: a port of this machine; or the status of a refusal. */
export type Forwards = Readonly<Record<string, number | { readonly status: number }>>;

/** Serves until the test is over. */
export async function forwardingApi(
  forwards: Forwards,
): Promise<{ readonly config: KubeConfig; readonly open: () => number }> {
  const sockets = new Set<Duplex>();
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    accept(request, socket, forwards);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const config = new KubeConfig();
  config.loadFromOptions({
    // The library speaks plain HTTP only where nothing is to be verified.
    clusters: [
      {
        name: 'double',
        server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        skipTLSVerify: true,
      },
    ],
    users: [{ name: 'user' }],
    contexts: [{ name: 'double', cluster: 'double', user: 'user' }],
    currentContext: 'double',
  });
  return { config, open: () => sockets.size };
}

function accept({ url = '', headers }: IncomingMessage, socket: Duplex, forwards: Forwards): void {
  const [, namespace, pod, port] =
    /namespaces\/([^/]+)\/pods\/([^/]+)\/portforward\?ports=(\d+)$/.exec(url) ?? [];
  const target = forwards[`${namespace}/${pod}/${port}`] ?? { status: 404 };
  if (typeof target !== 'number')
    return void socket.end(`HTTP/1.1 ${target.status} No\r\ncontent-length: 0\r\n\r\n`);
  const key = createHash('sha1').update(`${headers['sec-websocket-key']}${ACCEPT_GUID}`).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
      `sec-websocket-protocol: v4.channel.k8s.io\r\nsec-websocket-accept: ${key}\r\n\r\n`,
  );
  const number = Buffer.alloc(2);
  number.writeUInt16LE(Number(port));
  for (const stream of [DATA, ERRORS]) send(socket, stream, number);
  const app = connect(target, '127.0.0.1');
  app.on('data', (chunk) => send(socket, DATA, chunk));
  app.on('error', () => send(socket, ERRORS, Buffer.from('connect: connection refused')));
  app.on('close', () => socket.end(Buffer.from([CLOSE, 0])));
  readMessages(socket, app);
}

/** Longest payload of a message of this double, bytes: its length has two bytes. */
const MAX_PAYLOAD = 60_000;

function send(socket: Duplex, stream: number, data: Buffer): void {
  if (data.length > MAX_PAYLOAD) {
    send(socket, stream, data.subarray(0, MAX_PAYLOAD));
    return send(socket, stream, data.subarray(MAX_PAYLOAD));
  }
  const payload = Buffer.concat([Buffer.from([stream]), data]);
  const head = Buffer.alloc(payload.length < 126 ? 2 : 4);
  head[0] = BINARY;
  head[1] = payload.length < 126 ? payload.length : 126;
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  socket.write(Buffer.concat([head, payload]));
}

/** A client's messages are masked, and here always short. */
function readMessages(socket: Duplex, app: Socket): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const length = (rest[1] ?? 0) & 0x7f;
      const end = 6 + length;
      if (rest.length < end) return;
      const [opcode, mask, masked] = [rest[0], rest.subarray(2, 6), rest.subarray(6, end)];
      rest = rest.subarray(end);
      if (opcode === CLOSE) return void app.destroy();
      const payload = masked.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
      if (payload[0] === DATA) app.write(payload.subarray(1));
    }
  });
}
