/**
 * The way in to a TLS server, for strangers: anybody who reaches the port can open a connection, say nothing, or say much. A
 * connection gets a place when it is accepted, and a turn for its handshake when it has said its hello. Both are bounded.
 */
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { RateLimits } from '../../common/token_bucket.ts';
import { onHello } from './client_hello.ts';
import { ConnectionPlaces, type Place, type PlaceLimits } from './connection_places.ts';
import { PacedQueue } from './paced_queue.ts';

/** Bounds at a door. */
export interface DoorLimits extends PlaceLimits {
  /** Of one address. */
  readonly handshakes: RateLimits;
  /** Time for the hello and until the handshake has its turn, ms. The server bounds the handshake itself. */
  readonly stepMs: number;
}

/** What the server's thread does in one handshake, ms. */
const HANDSHAKE_MS = 1.5;

/**
 * TLS has messages that cost the server's thread a little and carry no data, such as KeyUpdate: a connection may bring this
 * much, and eight times what it says. What a record needs of its own is 22 bytes. Bytes.
 */
const MAX_IDLE_TALK_BYTES = 256 * 1024;
const TALK_PER_SAID = 8;

/** How often that is looked at, ms, and how long the address of one who has brought more stays outside. */
const LOOK_MS = 100;
const OUTSIDE_MS = 60_000;
/** Addresses that are outside at once. Some 100 bytes each. */
const MAX_OUTSIDE = 10_000;

/** A connection that is inside, as TCP and, after its handshake, as TLS. */
interface Guest {
  readonly address: string;
  readonly socket: Socket;
  readonly place: Place;
  tls?: TLSSocket;
}

/** A door in front of a server. */
export interface TlsDoor {
  /** The place of a connection, asked with the TLS socket over it; `undefined` when it has given it back. */
  placeOf(socket: Socket): Place | undefined;
  /** Ends all connections. */
  closeAll(): void;
}

/**
 * Puts a door in front of a server: what its listeners of `connection` do waits for a turn.
 * @param turnedAway called when a connection has lost its place, or got none
 */
export function putDoor(server: Server, limits: DoorLimits, turnedAway: () => void): TlsDoor {
  const places = new ConnectionPlaces(limits);
  const handshakes = new PacedQueue(limits.handshakes);
  const guests = new Set<Guest>();
  const byPeer = new Map<string, Guest>();
  /** Until when each address is outside, the first to come in again first; on the clock of `performance.now`. */
  const outside = new Map<string, number>();
  const inside = server.listeners('connection');
  server.removeAllListeners('connection');
  const look = (): void => {
    for (const { address, socket, tls } of guests) {
      const { bytesRead } = socket;
      if (bytesRead <= MAX_IDLE_TALK_BYTES) continue; // as for nearly all: to ask both of thousands takes time
      if (bytesRead - TALK_PER_SAID * (tls?.bytesRead ?? 0) <= MAX_IDLE_TALK_BYTES) continue;
      turnedAway();
      socket.destroy();
      outside.delete(address);
      outside.set(address, performance.now() + OUTSIDE_MS);
    }
    for (const [address, untilMs] of outside) {
      if (outside.size <= MAX_OUTSIDE && untilMs > performance.now()) break;
      outside.delete(address);
    }
  };
  let looking: NodeJS.Timeout | undefined;
  server.once('listening', () => {
    looking = setInterval(look, LOOK_MS);
  });
  server.once('close', () => {
    clearInterval(looking);
    handshakes.close();
  });
  server.on('secureConnection', (tls: TLSSocket) => {
    const guest = byPeer.get(peerOf(tls));
    if (guest !== undefined) guest.tls = tls;
  });

  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const refuse = (): void => {
      turnedAway();
      socket.destroy();
    };
    if (outside.has(address)) return refuse();
    const place = places.take(address, refuse);
    if (place === undefined) return refuse();
    const guest: Guest = { address, socket, place };
    const peer = peerOf(socket);
    const late = setTimeout(() => socket.destroy(), limits.stepMs);
    let giveUpTurn = (): void => {};
    guests.add(guest);
    byPeer.set(peer, guest);
    socket.on('error', () => {}); // the server's own listener says so where it matters
    socket.once('close', () => {
      clearTimeout(late);
      giveUpTurn();
      guests.delete(guest);
      if (byPeer.get(peer) === guest) byPeer.delete(peer); // its client may have come again from the same port
      place.leave();
    });
    onHello(socket, () => {
      place.rise();
      giveUpTurn = handshakes.add(address, HANDSHAKE_MS, () => {
        clearTimeout(late);
        place.rise();
        // What has been read is taken in first: that is how Node's servers are handed connections.
        for (const listener of inside) listener.call(server, socket);
      });
    });
  });
  return {
    placeOf: (socket) => byPeer.get(peerOf(socket))?.place,
    closeAll: () => {
      for (const { socket } of guests) socket.destroy();
    },
  };
}

/** Names one connection, on the TCP socket as on the TLS socket over it. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
