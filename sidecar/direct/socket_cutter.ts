/** Has the kernel destroy sockets of direct connections, until they are gone. */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Backoff } from '../../common/backoff.ts';
import { messageOf } from '../../common/errno.ts';
import type { Side, SocketPair, TcpSocket } from '../kernel/index.ts';
import type { DirectConnection, DirectCutter } from './direct_connection.ts';
import { type DirectKernel, LISTED_STATES } from './direct_kernel.ts';
import { endsOf, type Fate, SocketOrders } from './socket_orders.ts';

/** Connections that are asked about at a time, some 3 us each. */
export const ASKED_AT_ONCE = 256;

/** Those of one order to the kernel, which has a thread of the pool for some 15 ms. */
const CUT_AT_ONCE = 512;

/**
 * Orders under way at once: where this thread is late with the next one, others are still carried out. One of the pool's four threads is
 * left for the gate's transaction.
 */
const ORDERS_AT_ONCE = 3;

/** Records written at a time; each takes some 50 us. */
export const RECORDS_AT_ONCE = 50;

/** What failed is tried again after so long, ms: the kernel, or this process, may be short of something. */
const RETRY = { firstMs: 50, lastMs: 2_000, jitter: false } as const;

/** What it has the kernel do. */
type CuttingKernel = Pick<DirectKernel, 'sockets' | 'socketsAt' | 'destroy' | 'destroyAt'>;

/** What it says of connections. */
export interface CutEvents {
  /** Reads all reports that wait. Never rejects. */
  read(): Promise<void>;
  /** A connection is gone. */
  finish(connection: DirectConnection): void;
  /** Connections were not ended. */
  failed(problem: string): void;
}

/** What became of some connections. */
interface Outcome {
  /** The kernel does not have them. */
  readonly missing: readonly DirectConnection[];
  /** They are still there. */
  readonly left: readonly DirectConnection[];
}

/** Ends connections of one sidecar: of all that end together there are few orders, and what fails is tried again. */
export class SocketCutter implements DirectCutter {
  readonly #kernel: CuttingKernel;
  readonly #events: CutEvents;
  readonly #mustEnd: boolean;
  readonly #orders: SocketOrders;
  #ordering: Promise<unknown> = Promise.resolve();
  #doomed: DirectConnection[] = [];
  #cutting: Promise<void> | undefined;
  #isClosed = false;

  /** @param mustEnd false: the kernel is known not to do it, so nobody waits for that */
  constructor(kernel: CuttingKernel, events: CutEvents, mustEnd: boolean) {
    this.#kernel = kernel;
    this.#events = events;
    this.#orders = new SocketOrders(kernel, (problem) => events.failed(problem));
    this.#mustEnd = mustEnd;
  }

  /** Why connections were not ended the last time. */
  get problem(): string | undefined {
    return this.#orders.problem;
  }

  /** Whether nothing is being ended. */
  get isIdle(): boolean {
    return this.#cutting === undefined;
  }

  doom(connection: DirectConnection): void {
    this.#doomed.push(connection);
    // Not at once: of all that a change ends there is one order.
    this.#cutting ??= Promise.resolve().then(() => this.#cutDoomed());
  }

  /** Resolves when all that was to end is destroyed. */
  async settled(): Promise<void> {
    while (this.#cutting !== undefined) await this.#cutting;
  }

  /** Resolves when the orders under way are carried out. Never rejects. */
  async ordered(): Promise<void> {
    await this.#ordering;
  }

  /**
   * The socket of a connection is gone.
   * @param cookie of the socket
   * @returns whether it is being ended here: then it is finished when all orders are done
   */
  takesEnd(connection: DirectConnection, cookie: number): boolean {
    if (!connection.isDoomed || this.#cutting === undefined) return false;
    this.#orders.reported(cookie, connection);
    return true;
  }

  /** See `SocketOrders`. */
  isCut(socket: TcpSocket): boolean {
    return this.#orders.isCut(socket);
  }

  /** See `SocketOrders`. */
  hasCut(cookie: number): boolean {
    return this.#orders.hasCut(cookie);
  }

  /** See `SocketOrders`. */
  async destroy(sockets: readonly TcpSocket[]): Promise<readonly boolean[]> {
    return await this.#orders.destroy(sockets);
  }

  /** What is doomed stays, and nothing more is tried. */
  close(): void {
    this.#isClosed = true;
  }

  /** Never rejects. */
  async #cutDoomed(): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (this.#doomed.length > 0) {
      const some = this.#doomed;
      this.#doomed = [];
      const now = this.#cutNow(some);
      this.#ordering = now;
      const { gone, missing, left } = await now;
      await this.#finishAll(gone);
      const again = missing.length === 0 ? { missing, left: [] } : await this.#cutMissing(missing);
      await this.#finishAll(again.missing);
      const failed = [...left, ...again.left];
      if (failed.length === 0) {
        backoff.reset();
        continue;
      }
      if (!this.#mustEnd) continue;
      this.#doomed.push(...failed);
      await delay(backoff.next(), undefined, { ref: false });
      if (this.#isClosed) break;
    }
    // In the same step as the look at what is left: what is doomed later finds nobody at work.
    this.#cutting = undefined;
    // Those that no order found, or could end, have ended all the same.
    for (const one of this.#orders.takeReported()) this.#events.finish(one);
  }

  /**
   * They have ended by themselves, or were being opened and the list of sockets had them; or their last packet of the handshake is on its
   * way to the socket.
   */
  async #cutMissing(connections: readonly DirectConnection[]): Promise<Outcome> {
    await this.#events.read();
    const { missing, left } = await this.#cutAsked(connections);
    if (missing.length === 0) return { missing, left };
    const listed = await this.#cutListed(missing);
    return { missing: listed.missing, left: [...left, ...listed.left] };
  }

  /**
   * A question may miss a socket that is there, such as one that is bound to an interface nobody knows of. The list has them all, by what the
   * kernel knows them by. Never rejects.
   */
  async #cutListed(connections: readonly DirectConnection[]): Promise<Outcome> {
    const wanted = new Set(connections.map(keyOf));
    const listed = new Map<string, TcpSocket>();
    try {
      const isWanted = (local: Side, remote: Side): boolean => wanted.has(keyOf({ local, remote }));
      for await (const some of this.#kernel.sockets(isWanted, LISTED_STATES))
        for (const socket of some) listed.set(keyOf(socket), socket);
    } catch (error) {
      this.#orders.fail(messageOf(error));
      return { missing: [], left: connections };
    }
    const missing: DirectConnection[] = [];
    const left: DirectConnection[] = [];
    const sockets = connections.map((one) => {
      const socket = listed.get(keyOf(one));
      return socket !== undefined && one.mayHave(socket) ? socket : undefined;
    });
    await this.#finishAll(await this.#cutFound(connections, sockets, missing, left));
    return { missing, left };
  }

  /**
   * The first order is out before anything else has its turn. Nothing is recorded before all orders are carried out: that takes longer
   * than all else. Never rejects.
   */
  async #cutNow(
    connections: readonly DirectConnection[],
  ): Promise<Outcome & { readonly gone: readonly DirectConnection[] }> {
    const outcome: Record<Fate, DirectConnection[]> = { gone: [], missing: [], left: [] };
    const underWay: Promise<void>[] = [];
    for (let from = 0; from < connections.length; from += CUT_AT_ONCE) {
      if (underWay.length >= ORDERS_AT_ONCE) await underWay.shift();
      underWay.push(this.#cutSome(connections.slice(from, from + CUT_AT_ONCE), outcome));
    }
    await Promise.all(underWay);
    return outcome;
  }

  async #cutSome(
    connections: readonly DirectConnection[],
    outcome: Readonly<Record<Fate, DirectConnection[]>>,
  ): Promise<void> {
    const fates = await this.#orders.destroyAt(connections);
    for (const [index, connection] of connections.entries()) outcome[fates[index] ?? 'left'].push(connection);
  }

  /** Records take longer than all else. */
  async #finishAll(gone: readonly DirectConnection[]): Promise<void> {
    for (const [index, connection] of gone.entries()) {
      this.#events.finish(connection);
      if (index % RECORDS_AT_ONCE === RECORDS_AT_ONCE - 1) await turn();
    }
  }

  /** The same in two steps, which takes longer, and finds what is bound to any interface. Never rejects. */
  async #cutAsked(connections: readonly DirectConnection[]): Promise<Outcome> {
    const missing: DirectConnection[] = [];
    const left: DirectConnection[] = [];
    for (let from = 0; from < connections.length; from += CUT_AT_ONCE) {
      const some = connections.slice(from, from + CUT_AT_ONCE);
      const sockets = this.#askFor(some);
      if (sockets === undefined) left.push(...some);
      else await this.#finishAll(await this.#cutFound(some, sockets, missing, left));
    }
    return { missing, left };
  }

  #askFor(connections: readonly DirectConnection[]): readonly (TcpSocket | undefined)[] | undefined {
    try {
      return this.#kernel.socketsAt(connections.map(endsOf));
    } catch (error) {
      this.#orders.fail(messageOf(error));
      return undefined;
    }
  }

  /** Never rejects. @returns those that are gone now */
  async #cutFound(
    connections: readonly DirectConnection[],
    sockets: readonly (TcpSocket | undefined)[],
    missing: DirectConnection[],
    left: DirectConnection[],
  ): Promise<readonly DirectConnection[]> {
    const there: { readonly connection: DirectConnection; readonly socket: TcpSocket }[] = [];
    for (const [index, connection] of connections.entries()) {
      const socket = sockets[index];
      if (socket === undefined) missing.push(connection);
      else there.push({ connection, socket });
    }
    const gone = await this.#orders.destroy(there.map(({ socket }) => socket));
    return there.flatMap(({ connection, socket }, index) => {
      connection.counted(socket);
      if (gone[index] === true) return [connection];
      left.push(connection);
      return [];
    });
  }
}

function keyOf({ local, remote }: SocketPair): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}
