/**
 * Relays bytes both ways between two connected sockets: back-pressure, half-close, reset as reset.
 * Memory per flow is bounded by the streams' high-water marks: one 64 KiB chunk read and one waiting, each way.
 */
import type net from 'node:net';
import type { Sockets } from '../../../native/index.ts';
import { brokenEnd } from '../broken_end.ts';
import type { RelayEnd } from '../relay.ts';

/**
 * How often sockets that are not being read from are looked at. Node notices a reset or a failed keepalive only while
 * it reads: not after the end of a stream, nor while the other side is slow to take what was read.
 */
const UNREAD_CHECK_MS = 250;

/**
 * Starts relaying; both sockets must allow half-open. `onEnd` is called once, when both sockets are closed or have
 * been reset. An end of stream on one side is passed on when all bytes before it have been written to the other.
 */
export function relayBytes(
  source: net.Socket,
  destination: net.Socket,
  { sockets, unread }: RelayContext,
  onEnd: (end: RelayEnd, error?: string) => void,
): void {
  let open = 2;
  let ended = false;
  const end = (how: RelayEnd, error?: string): void => {
    if (ended) return;
    ended = true;
    onEnd(how, error);
  };
  const broken = (side: 'source' | 'destination', { code }: NodeJS.ErrnoException): void => {
    resetSocket(source, sockets);
    resetSocket(destination, sockets);
    end(brokenEnd(side, code), code);
  };
  const closed = (): void => {
    open -= 1;
    if (open === 0) end('closed');
  };
  source.on('error', (error) => broken('source', error));
  destination.on('error', (error) => broken('destination', error));
  source.on('close', closed);
  destination.on('close', closed);
  unread.follow(source);
  unread.follow(destination);
  source.pipe(destination);
  destination.pipe(source);
}

/** What relays share. */
export interface RelayContext {
  readonly sockets: Sockets;
  readonly unread: UnreadSockets;
}

/** Sockets that are open but not being read from: at their end of stream, or held back. Finds those that have died. */
export class UnreadSockets {
  readonly #sockets: Sockets;
  readonly #unread = new Set<net.Socket>();
  readonly #timer: NodeJS.Timeout;

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
    this.#timer = setInterval(() => this.#check(), UNREAD_CHECK_MS).unref();
  }

  /** Looks after a socket until it is closed. One that has died gets an `error` like any other. */
  follow(socket: net.Socket): void {
    socket.on('pause', () => this.#unread.add(socket));
    socket.on('resume', () => {
      if (!socket.readableEnded) this.#unread.delete(socket);
    });
    socket.on('end', () => this.#unread.add(socket));
    socket.on('close', () => this.#unread.delete(socket));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    for (const socket of this.#unread) {
      const fd = descriptorOf(socket);
      if (fd === undefined || !this.#sockets.isDead(fd)) continue;
      const code = this.#sockets.takeError(fd) ?? 'ECONNRESET';
      socket.destroy(Object.assign(new Error(`the connection has died: ${code}`), { code }));
    }
  }
}

/**
 * Closes a socket with RST, in any state. `resetAndDestroy()` is not enough: it fails, and leaks the
 * descriptor, while an `end()` waits for unsent bytes.
 */
export function resetSocket(socket: net.Socket, sockets: Sockets): void {
  if (socket.destroyed) return;
  const fd = descriptorOf(socket);
  if (fd !== undefined) sockets.resetOnClose(fd);
  socket.destroy();
}

/** Node keeps the descriptor on the handle; it has no public accessor. Absent: the socket is closed. */
export function descriptorOf(socket: net.Socket): number | undefined {
  const handle = (socket as { _handle?: { fd?: number } | null })._handle;
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
