/** The connections of the direct ports that are followed: each from when it is known until it has ended. */
import { Recent } from '../../common/recent.ts';
import { isLoopback, type Judge } from '../../policy/index.ts';
import {
  type Side,
  type SocketPair,
  socketCookie,
  type TcpSocket,
  type TrackedFlow,
} from '../kernel/index.ts';
import type { RelayEvents } from '../relay/index.ts';
import { ConnectionsByEnds } from './connections_by_ends.ts';
import { DirectConnection, type DirectCutter } from './direct_connection.ts';
import type { DirectPorts } from './direct_ports.ts';

/** Most connections that are followed; some 300 bytes each. Those beyond it have no record, and end with a table all the same. */
const FOLLOWED_MAX = 65_536;

/** Ends of apps that are shared by their connections; an app has few. */
const PLACES_MAX = 256;

/** Who has to know. */
export interface FollowedEvents extends Pick<RelayEvents, 'accepted'>, DirectCutter {
  /** There are too many: one has no record. */
  overrun(): void;
}

/** Those of one sidecar. */
export class Followed {
  readonly #ports: Omit<DirectPorts, 'wanted'>;
  readonly #judge: () => Judge | undefined;
  readonly #events: FollowedEvents;
  readonly #live = new ConnectionsByEnds();
  readonly #places = new Recent<string, Side>(PLACES_MAX);
  /** Found in the kernel's list: their beginnings may still be reported. */
  readonly #listed = new Set<DirectConnection>();
  /** Those whose sockets nobody has seen, and since when they are waited for, ms; in that order. */
  readonly unseen = new Map<DirectConnection, number>();

  /** @param judge the one in force */
  constructor(ports: Omit<DirectPorts, 'wanted'>, judge: () => Judge | undefined, events: FollowedEvents) {
    this.#ports = ports;
    this.#judge = judge;
    this.#events = events;
  }

  /** Whether no more can be followed. */
  get isFull(): boolean {
    return this.#live.size >= FOLLOWED_MAX;
  }

  /** By the ends of its socket: the oldest, where a client has used its port again. */
  get(client: Side, app: Side): DirectConnection | undefined {
    return this.#live.get(client, app);
  }

  /** The one that has a socket: of those with its ends, the one with its cookie, else the oldest whose cookie is not known. */
  holding({ local, remote }: SocketPair, cookie: number): DirectConnection | undefined {
    let oldest: DirectConnection | undefined;
    for (let one = this.#live.get(remote, local); one !== undefined; one = one.next) {
      if (one.cookie === cookie) return one;
      if (one.cookie === undefined) oldest ??= one;
    }
    return oldest;
  }

  /** Those of a client's address to a port of the pod. */
  of(client: string, port: number): Iterable<DirectConnection> {
    return this.#live.of(client, port);
  }

  [Symbol.iterator](): Iterator<DirectConnection> {
    return this.#live[Symbol.iterator]();
  }

  /** Some of them. */
  first(most: number): readonly DirectConnection[] {
    const some: DirectConnection[] = [];
    for (const one of this.#live) if (some.push(one) >= most) break;
    return some;
  }

  /**
   * Whether a connection with these ends is one to a direct port, or one that the pod has opened.
   * @param place what the client has sent to, where that is known; else the socket's own end
   */
  concerns(place: Side, remote: Side): boolean {
    if (!this.#ports.isDirect(place.port) || remote.address === place.address) return false;
    if (isLoopback(remote.address) || this.#ports.isExempt(remote.address, place.port)) return false;
    return this.#judge()?.table.subject.ips.includes(remote.address) !== true;
  }

  /** Whether connection tracking says that a flow is one to a direct port, or one that the pod has opened; not one that a rule leads to the proxy. */
  isWanted({ protocol, source, destination, answering }: TrackedFlow): boolean {
    return protocol === 'TCP' && this.concerns(destination, source) && !this.#ports.isOwn(answering.port);
  }

  /**
   * Whether a socket with these ends was a client's, and not one that the pod has opened: nothing else says so when it is gone. Known by its
   * own end, to which there were others.
   */
  isServed(local: Side, remote: Side): boolean {
    return this.concerns(local, remote) && this.#places.has(placeOf(local));
  }

  /** A handshake was completed, as connection tracking says. */
  began(flow: TrackedFlow): void {
    if (!this.isWanted(flow)) return;
    const { source, destination, answering, answered } = flow;
    const known = this.#live.get(answered, answering);
    if (known !== undefined && this.#listed.delete(known)) return;
    const connection = this.#follow(source, destination, { local: answering, remote: answered });
    if (connection !== undefined) this.unseen.set(connection, performance.now());
  }

  /** A socket was found that nobody followed. @param place what its client has sent to */
  found(socket: TcpSocket, client: Side, place: Side): void {
    const connection = this.#follow(client, place, socket);
    if (connection === undefined) return;
    connection.cookie = socketCookie(socket.handle);
    this.#listed.add(connection);
  }

  /** All beginnings have been reported of connections that were found before. */
  allReported(): void {
    this.#listed.clear();
  }

  /** The kernel has this socket for a connection. */
  seen(connection: DirectConnection, socket: TcpSocket): void {
    if (socket.isArriving) return; // the app does not have it yet
    connection.cookie = socketCookie(socket.handle);
    this.unseen.delete(connection);
  }

  /** One that nobody has seen yet is waited for again. */
  lookLater(connection: DirectConnection, nowMs: number): void {
    if (this.unseen.delete(connection)) this.unseen.set(connection, nowMs);
  }

  /** It has ended, if that is not known. */
  finish(connection: DirectConnection, end: Parameters<DirectConnection['ended']>[0]): void {
    if (!this.#live.remove(connection)) return;
    this.unseen.delete(connection);
    this.#listed.delete(connection);
    connection.ended(end);
  }

  /** @param ends those of its socket */
  #follow(client: Side, place: Side, ends: SocketPair): DirectConnection | undefined {
    if (this.isFull) {
      this.#events.overrun();
      return undefined;
    }
    const address = this.#live.textOf(ends.remote.address, ends.local);
    const remote = { address, port: ends.remote.port };
    const source = { address: client.address === address ? address : client.address, port: client.port };
    const socket = { local: this.#shared(ends.local), remote };
    const connection = new DirectConnection(source, this.#shared(place), socket, this.#events);
    this.#live.add(connection);
    connection.owner = this.#events.accepted(connection);
    return connection;
  }

  /** The same object for the same end of the app: there are few of these, and many connections. */
  #shared(local: Side): Side {
    const key = placeOf(local);
    return this.#places.get(key) ?? this.#places.keep(key, local);
  }
}

function placeOf({ address, port }: Side): string {
  return `${address} ${port}`;
}
