/**
 * The way in to a TLS server, for strangers: anybody who reaches the port can open a connection, say nothing, or say much. A
 * connection gets a place in the lobby when it is accepted, and a turn for its handshake when it has said its hello. With its turn it
 * leaves the lobby and gets a place inside. All three are bounded. In the lobby a connection is a socket and a hello, so that there is
 * room for all sidecars of an injector that was started again: one that has to give way comes back seconds later.
 */
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { RateLimits } from '../../common/token_bucket.ts';
import { onHello } from './client_hello.ts';
import { ConnectionPlaces, type Place, type PlaceLimits } from './connection_places.ts';
import { PacedQueue } from './paced_queue.ts';

/** Bounds at a door. Those of `PlaceLimits` are inside. */
export interface DoorLimits extends PlaceLimits {
  /** In the lobby, from all addresses; some 15 kB each. From one address as many as inside. */
  readonly maxWaiting: number;
  /** Of one address. */
  readonly handshakes: RateLimits;
  /** Time for the hello, ms. The server bounds the handshake itself. */
  readonly stepMs: number;
}

/** Time until the handshake has its turn, ms: as long as the most patient sidecar waits for it. */
const TURN_MS = 10_000;

/** What the server's thread does in one handshake, ms. */
const HANDSHAKE_MS = 1.5;

/**
 * Handshakes that wait for their client. More are begun when the client of the oldest has had so long, ms: a client that is slow, on
 * a node where much is started, does not lose its place to others that are, too.
 */
const MAX_UNFINISHED = 256;
const FINISH_MS = 1_000;

/**
 * TLS has messages that cost the server's thread a little and carry no data, such as KeyUpdate: a connection may bring this
 * much, and eight times what it says. What a record needs of its own is 22 bytes. Bytes.
 */
const MAX_IDLE_TALK_BYTES = 256 * 1024;
const TALK_PER_SAID = 8;

/**
 * How often that is looked at, ms. While the thread has nothing to do for half of the time, nobody has to wait for one who keeps it busy:
 * then a look is at some of the connections, and at all of them in so many looks.
 */
const LOOK_MS = 100;
const CALM_LOOKS = 10;
const CALM_UTILIZATION = 0.5;

/** How long the address of one who has brought more stays outside. */
const OUTSIDE_MS = 60_000;
/** Addresses that are outside at once. Some 100 bytes each. */
const MAX_OUTSIDE = 10_000;

/** A connection that is inside, as TCP and, after its handshake, as TLS. */
interface Guest {
  readonly address: string;
  readonly socket: Socket;
  /** Once it is inside. */
  place?: Place;
  tls?: TLSSocket;
}

/** A door in front of a server. */
export interface TlsDoor {
  /** The place of a connection, asked with the TLS socket over it; `undefined` when it has given it back. */
  placeOf(socket: Socket): Place | undefined;
  /** A connection has come to a login: as where all sidecars come at once, handshakes are worth the time that others leave. */
  admitted(): void;
  /** Ends all connections. */
  closeAll(): void;
}

/**
 * Puts a door in front of a server: what its listeners of `connection` do waits for a turn.
 * @param turnedAway called when a connection has lost its place, or got none
 */
export function putDoor(server: Server, limits: DoorLimits, turnedAway: () => void): TlsDoor {
  const lobby = new ConnectionPlaces({ maxPerAddress: limits.maxPerAddress, maxTotal: limits.maxWaiting });
  const places = new ConnectionPlaces(limits);
  /** When each handshake began that waits for its client, the oldest first; of `performance.now`. */
  const unfinished = new Map<Guest, number>();
  const handshakes = new PacedQueue(limits.handshakes, () => {
    const [oldestMs = 0] = unfinished.values();
    return unfinished.size < MAX_UNFINISHED || performance.now() - oldestMs > FINISH_MS;
  });
  const guests = new Set<Guest>();
  const byPeer = new Map<string, Guest>();
  /** Until when each address is outside, the first to come in again first; on the clock of `performance.now`. */
  const outside = new Map<string, number>();
  const inside = server.listeners('connection');
  server.removeAllListeners('connection');
  const check = ({ address, socket, tls }: Guest): void => {
    const { bytesRead } = socket;
    if (bytesRead <= MAX_IDLE_TALK_BYTES) return; // as for nearly all: to ask both of thousands takes time
    if (bytesRead - TALK_PER_SAID * (tls?.bytesRead ?? 0) <= MAX_IDLE_TALK_BYTES) return;
    turnedAway();
    socket.destroy();
    outside.delete(address);
    outside.set(address, performance.now() + OUTSIDE_MS);
  };
  let before = performance.eventLoopUtilization();
  /** Who is looked at next in a calm. */
  let round = guests.values();
  const lookAtSome = (): void => {
    for (let left = Math.ceil(guests.size / CALM_LOOKS); left > 0; left -= 1) {
      const { value } = round.next();
      if (value === undefined) {
        round = guests.values();
        return;
      }
      check(value);
    }
  };
  const look = (): void => {
    const isCalm = performance.eventLoopUtilization(before).utilization < CALM_UTILIZATION;
    before = performance.eventLoopUtilization();
    if (isCalm) lookAtSome();
    else for (const guest of guests) check(guest);
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
    if (guest === undefined) return;
    guest.tls = tls;
    guest.place?.rise();
    unfinished.delete(guest);
  });

  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const refuse = (): void => {
      turnedAway();
      socket.destroy();
    };
    if (outside.has(address)) return refuse();
    const seat = lobby.take(address, refuse);
    if (seat === undefined) return refuse();
    const guest: Guest = { address, socket };
    const peer = peerOf(socket);
    let late = setTimeout(() => socket.destroy(), limits.stepMs);
    let giveUpTurn = (): void => {};
    guests.add(guest);
    byPeer.set(peer, guest);
    socket.on('error', () => {}); // the server's own listener says so where it matters
    socket.once('close', () => {
      clearTimeout(late);
      giveUpTurn();
      guests.delete(guest);
      unfinished.delete(guest);
      if (byPeer.get(peer) === guest) byPeer.delete(peer); // its client may have come again from the same port
      seat.leave();
      guest.place?.leave();
    });
    onHello(socket, () => {
      seat.rise();
      clearTimeout(late);
      late = setTimeout(() => socket.destroy(), TURN_MS);
      giveUpTurn = handshakes.add(address, HANDSHAKE_MS, () => {
        clearTimeout(late);
        seat.leave();
        const place = places.take(address, refuse);
        if (place === undefined) return refuse();
        guest.place = place;
        unfinished.set(guest, performance.now());
        // What has been read is taken in first: that is how Node's servers are handed connections.
        for (const listener of inside) listener.call(server, socket);
      });
    });
  });
  return {
    placeOf: (socket) => byPeer.get(peerOf(socket))?.place,
    admitted: () => handshakes.earn(HANDSHAKE_MS),
    closeAll: () => {
      for (const { socket } of guests) socket.destroy();
    },
  };
}

/** Names one connection, on the TCP socket as on the TLS socket over it. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
