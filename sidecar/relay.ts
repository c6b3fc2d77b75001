/**
 * Relays bytes both ways between two connected sockets: back-pressure, half-close, reset as reset.
 * Memory per flow is bounded by the streams' high-water marks: one 64 KiB chunk read and one waiting, each way.
 */
import type net from 'node:net';
import type { Sockets } from '../native/sockets.ts';

/** How a relay ended: both sides finished, or one of them broke. */
export type RelayEnd = 'closed' | 'reset-by-source' | 'reset-by-destination';

/**
 * Starts relaying; both sockets must allow half-open. `onEnd` is called once, when both sockets are closed or have
 * been reset. An end of stream on one side is passed on when all bytes before it have been written to the other.
 */
export function relay(
  source: net.Socket,
  destination: net.Socket,
  sockets: Sockets,
  onEnd: (end: RelayEnd) => void,
): void {
  let open = 2;
  let ended = false;
  const end = (how: RelayEnd): void => {
    if (ended) return;
    ended = true;
    onEnd(how);
  };
  const broken = (how: RelayEnd): void => {
    resetSocket(source, sockets);
    resetSocket(destination, sockets);
    end(how);
  };
  const closed = (): void => {
    open -= 1;
    if (open === 0) end('closed');
  };
  source.on('error', () => broken('reset-by-source'));
  destination.on('error', () => broken('reset-by-destination'));
  source.on('close', closed);
  destination.on('close', closed);
  source.pipe(destination);
  destination.pipe(source);
}

/**
 * Closes a socket with RST, whatever state it is in. `resetAndDestroy()` is not enough: it fails, and leaks the
 * descriptor, while an `end()` waits for unsent bytes.
 */
export function resetSocket(socket: net.Socket, sockets: Sockets): void {
  if (socket.destroyed) return;
  const fd = descriptorOf(socket);
  if (fd !== undefined) sockets.resetOnClose(fd);
  socket.destroy();
}

/** Node keeps the descriptor on the handle; it has no public accessor. */
function descriptorOf(socket: net.Socket): number | undefined {
  const handle = (socket as { _handle?: { fd?: number } | null })._handle;
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
