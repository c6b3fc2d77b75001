/** The connections that are live, by the addresses and ports that their sockets have. */
import type { Side } from '../kernel/index.ts';
import type { DirectConnection } from './direct_connection.ts';

/** Those of a client to one address of the pod. By both ports in one number, which takes less memory than a text. */
type ByPorts = Map<number, DirectConnection>;

/** A client of one address of the pod. */
interface Client {
  /** All of its connections have this one text. */
  readonly address: string;
  readonly connections: ByPorts;
}

/** Finds a connection by its ends, and those of a client by its address. */
export class ConnectionsByEnds {
  /** By the pod's address, of which there are few, then by the client's. */
  readonly #byPlace = new Map<string, Map<string, Client>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest, where a client has used its port again. */
  get(client: Side, app: Side): DirectConnection | undefined {
    return this.#client(client.address, app.address)?.connections.get(bothPorts(client.port, app.port));
  }

  /** The text of a client's address: that of its other connections, where it has some. */
  textOf(client: string, app: Side): string {
    return this.#client(client, app.address)?.address ?? client;
  }

  add(connection: DirectConnection): void {
    const { connections } =
      this.#client(connection.remoteAddress, connection.local.address) ?? this.#meet(connection);
    const key = portsOf(connection);
    let before = connections.get(key);
    this.#size += 1;
    if (before === undefined) {
      connections.set(key, connection);
      return;
    }
    while (before.next !== undefined) before = before.next;
    before.next = connection;
  }

  /** @returns whether it was there */
  remove(connection: DirectConnection): boolean {
    const { remoteAddress, local, next } = connection;
    const connections = this.#client(remoteAddress, local.address)?.connections;
    const key = portsOf(connection);
    const oldest = connections?.get(key);
    if (connections === undefined || oldest === undefined) return false;
    if (oldest !== connection) {
      const before = beforeIn(oldest, connection);
      if (before === undefined) return false;
      before.next = next;
    } else if (next !== undefined) connections.set(key, next);
    else connections.delete(key);
    this.#size -= 1;
    if (connections.size === 0) this.#byPlace.get(local.address)?.delete(remoteAddress);
    return true;
  }

  /** The connections of a client's address to a port of the pod. */
  *of(client: string, port: number): Generator<DirectConnection> {
    for (const clients of this.#byPlace.values())
      for (const connection of clients.get(client)?.connections.values() ?? [])
        if (connection.local.port === port) yield connection;
  }

  *[Symbol.iterator](): Generator<DirectConnection> {
    for (const clients of this.#byPlace.values())
      for (const { connections } of clients.values()) yield* connections.values();
  }

  #client(client: string, app: string): Client | undefined {
    return this.#byPlace.get(app)?.get(client);
  }

  /** The first of its client to the address. */
  #meet({ remoteAddress, local }: DirectConnection): Client {
    const client: Client = { address: remoteAddress, connections: new Map() };
    const clients = this.#byPlace.get(local.address) ?? new Map<string, Client>();
    this.#byPlace.set(local.address, clients.set(remoteAddress, client));
    return client;
  }
}

/** The one before a connection, of those from a port of a client; `undefined`: it is not among them. */
function beforeIn(oldest: DirectConnection, connection: DirectConnection): DirectConnection | undefined {
  let before: DirectConnection | undefined = oldest;
  while (before !== undefined && before.next !== connection) before = before.next;
  return before;
}

function portsOf({ remotePort, local }: DirectConnection): number {
  return bothPorts(remotePort, local.port);
}

/** In 32 bits: a larger number would have to be kept as an object. */
function bothPorts(client: number, app: number): number {
  return (client << 16) | app;
}
