/**
 * The app of a lab's pod: serves every containerPort so that people and tests see who connects.
 *
 *   node app_server.ts TCP/80 UDP/53 …
 *
 * TCP answers nothing on connect. The first line may be a verb:
 *
 *   SEND <bytes> [<bytes per second>]
 *                  streams that many bytes (see `pattern.ts`), as fast as they are taken or at that pace, then closes
 *                  its side
 *   SINK           reads to the end, then answers `<bytes> <sha256 of them>` and closes
 *   ECHO           sends back all that follows, half-close included
 *   RESET          resets the connection
 *
 * Anything else is a message: each line is answered by one line with the peer's address as the app sees it. What has no
 * line end is answered when the peer closes its side, before this side closes too, and each time it has grown by 64 KiB.
 * UDP answers each datagram alike.
 * One JSON line per accepted connection, per failed one and per first datagram of a peer goes to stdout. When all ports listen,
 * `ready` is written to the file descriptor that SLUICE_READY_FD names.
 */

import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { closeSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { messageOf } from '../../common/errno.ts';
import { PATTERN_BLOCK } from './pattern.ts';

/** `\n`. */
const LINE_END = 10;

/** Longest first line, in bytes, that can be a verb. */
const VERB_LINE_MAX_BYTES = 64;

/** A line that grows by so many bytes is answered before it ends: nobody waits for ever. */
const LINE_MAX_BYTES = 64 * 1024;

/** How often a paced stream is sent on, in milliseconds. */
const PACE_MS = 10;

/** Connections waiting for accept: tests open a thousand at once. */
const BACKLOG = 4096;

function serveTcp(port: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = unmapped(socket.remoteAddress);
    const peerPort = socket.remotePort;
    record({ msg: 'accepted', protocol: 'TCP', port, peer, peerPort });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      record({ msg: 'failed', protocol: 'TCP', port, peer, peerPort, error: error.code });
      socket.destroy();
    });
    readFirstLine(socket, peer);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::', backlog: BACKLOG }, resolve);
  });
}

function serveUdp(port: number): Promise<void> {
  const socket = createSocket({ type: 'udp6' });
  const seen = new Set<string>();
  socket.on('message', (_message, from) => {
    const peer = unmapped(from.address);
    if (!seen.has(peer)) record({ msg: 'received', protocol: 'UDP', port, peer, peerPort: from.port });
    seen.add(peer);
    socket.send(`${peer}\n`, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, '::', resolve);
  });
}

function readFirstLine(socket: Socket, peer: string): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(LINE_END);
    if (end === -1 && head.length <= VERB_LINE_MAX_BYTES) return;
    const line = head.subarray(0, end === -1 ? VERB_LINE_MAX_BYTES : end).toString('latin1');
    stop();
    const [verb, argument, pace] = line.trim().split(' ');
    const rest = head.subarray(end + 1);
    if (end === -1) answer(socket, peer, head);
    else if (verb === 'SEND') send(socket, Number(argument), Number(pace ?? Number.POSITIVE_INFINITY));
    else if (verb === 'SINK') sink(socket, rest);
    else if (verb === 'ECHO') echo(socket, rest);
    else if (verb === 'RESET') socket.resetAndDestroy();
    else answer(socket, peer, head);
  };
  const onEnd = (): void => {
    stop();
    if (head.length > 0) socket.write(`${peer}\n`);
    socket.end();
  };
  const stop = (): void => {
    socket.off('data', onData).off('end', onEnd);
  };
  socket.on('data', onData).on('end', onEnd);
}

function answer(socket: Socket, peer: string, first: Buffer): void {
  const reply = `${peer}\n`;
  let unanswered = 0; // bytes of the line under way
  const take = (chunk: Buffer): void => {
    let answers = 0;
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(LINE_END, start);
      unanswered += (end === -1 ? chunk.length : end) - start;
      answers += Math.floor(unanswered / LINE_MAX_BYTES);
      unanswered %= LINE_MAX_BYTES;
      if (end !== -1) {
        answers += 1;
        unanswered = 0;
      }
      start = end === -1 ? chunk.length : end + 1;
    }
    // A peer that asks and does not read waits, and does not fill the memory.
    if (answers > 0 && !socket.write(reply.repeat(answers))) socket.pause();
  };
  socket.on('data', take).on('drain', () => socket.resume());
  socket.on('end', () => socket.end(unanswered > 0 ? reply : ''));
  take(first);
}

function send(socket: Socket, bytes: number, bytesPerSecond: number): void {
  const startedAt = performance.now();
  const paced = Number.isFinite(bytesPerSecond);
  let sent = 0;
  const push = (): void => {
    const due = paced ? Math.min(bytes, ((performance.now() - startedAt) / 1000) * bytesPerSecond) : bytes;
    while (sent < due && !socket.writableNeedDrain) {
      const chunk = PATTERN_BLOCK.subarray(0, bytes - sent);
      sent += chunk.length;
      socket.write(chunk);
    }
    if (sent < bytes) return;
    clearInterval(timer);
    socket.off('drain', push).end();
  };
  const timer = paced ? setInterval(push, PACE_MS) : undefined;
  socket.on('close', () => clearInterval(timer));
  socket.on('drain', push).resume();
  push();
}

function sink(socket: Socket, first: Buffer): void {
  const hash = createHash('sha256').update(first);
  let bytes = first.length;
  socket.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  socket.on('end', () => socket.end(`${bytes} ${hash.digest('hex')}\n`));
}

function echo(socket: Socket, first: Buffer): void {
  if (first.length > 0) socket.write(first);
  socket.pipe(socket);
}

function unmapped(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

function record(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ time: Date.now(), ...line })}\n`);
}

async function listenAll(targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const [protocol, port] = target.split('/');
    try {
      if (protocol === 'UDP') await serveUdp(Number(port));
      else await serveTcp(Number(port));
    } catch (error) {
      process.stderr.write(`cannot serve ${target}: ${messageOf(error)}\n`);
      process.exit(1);
    }
  }
  const ready = Number(process.env.SLUICE_READY_FD);
  if (!(ready > 2)) return;
  writeSync(ready, 'ready\n');
  closeSync(ready);
}

await listenAll(process.argv.slice(2));
