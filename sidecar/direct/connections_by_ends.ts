/** The connections that are live, by their addresses and ports. */
import type { Side } from '../kernel/index.ts';
import type { DirectConnection } from './direct_connection.ts';

/** Finds a connection by its ends, and those of a client by its address. */
export class ConnectionsByEnds {
  /** By the client's address, then by the rest. */
  readonly #byClient = new Map<string, Map<string, DirectConnection>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest, where a client has used its port again. */
  get(client: Side, app: Side): DirectConnection | undefined {
    return this.#byClient.get(client.address)?.get(keyOf(client, app));
  }

  add(connection: DirectConnection): void {
    const { source, destination } = connection;
    const known = this.#byClient.get(source.address);
    const ofClient = known ?? new Map<string, DirectConnection>();
    if (known === undefined) this.#byClient.set(source.address, ofClient);
    const key = keyOf(source, destination);
    let before = ofClient.get(key);
    this.#size += 1;
    if (before === undefined) {
      ofClient.set(key, connection);
      return;
    }
    while (before.next !== undefined) before = before.next;
    before.next = connection;
  }

  /** @returns whether it was there, as the oldest of its ends */
  remove(connection: DirectConnection): boolean {
    const { source, destination, next } = connection;
    const ofClient = this.#byClient.get(source.address);
    const key = keyOf(source, destination);
    if (ofClient === undefined || ofClient.get(key) !== connection) return false;
    this.#size -= 1;
    if (next !== undefined) ofClient.set(key, next);
    else ofClient.delete(key);
    if (ofClient.size === 0) this.#byClient.delete(source.address);
    return true;
  }

  /** The connections of a client's address to a port of the pod. */
  *of(client: string, port: number): Generator<DirectConnection> {
    for (const connection of this.#byClient.get(client)?.values() ?? [])
      if (connection.destination.port === port) yield connection;
  }

  *[Symbol.iterator](): Generator<DirectConnection> {
    for (const ofClient of this.#byClient.values()) yield* ofClient.values();
  }
}

/** Without the client's address. */
function keyOf(client: Side, app: Side): string {
  return `${client.port} ${app.port} ${app.address}`;
}
