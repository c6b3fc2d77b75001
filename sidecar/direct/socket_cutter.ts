/** Has the kernel destroy sockets of direct connections, until they are gone. */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Backoff } from '../../common/backoff.ts';
import { errnoName, messageOf } from '../../common/errno.ts';
import { Recent } from '../../common/recent.ts';
import {
  firstFailure,
  hasFailed,
  type Side,
  type SocketPair,
  socketCookie,
  type TcpSocket,
} from '../kernel/index.ts';
import type { DirectConnection, DirectCutter } from './direct_connection.ts';
import { type DirectKernel, LISTED_STATES } from './direct_kernel.ts';

/** Connections that are asked about at a time, some 3 us each. */
export const ASKED_AT_ONCE = 256;

/** Those of one order to the kernel. They are asked about in one step before it, which takes some 3 ms; it takes some 20 ms itself. */
const CUT_AT_ONCE = 1_024;

/** Records written at a time; each takes some 50 us. */
export const RECORDS_AT_ONCE = 50;

/** Destroyed sockets that their apps may still hold: when they close them, that is reported too. All that are followed may end at once. */
const CUT_REMEMBERED = 65_536;

/** What failed is tried again after so long, ms: the kernel, or this process, may be short of something. */
const RETRY = { firstMs: 50, lastMs: 2_000, jitter: false } as const;

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
  readonly #kernel: Pick<DirectKernel, 'sockets' | 'socketsAt' | 'destroy'>;
  readonly #events: CutEvents;
  readonly #mustEnd: boolean;
  readonly #cut = new Recent<number, true>(CUT_REMEMBERED);
  #doomed: DirectConnection[] = [];
  #cutting: Promise<void> | undefined;
  #problem: string | undefined;
  #isClosed = false;

  /** @param mustEnd false: the kernel is known not to do it, so nobody waits for that */
  constructor(
    kernel: Pick<DirectKernel, 'sockets' | 'socketsAt' | 'destroy'>,
    events: CutEvents,
    mustEnd: boolean,
  ) {
    this.#kernel = kernel;
    this.#events = events;
    this.#mustEnd = mustEnd;
  }

  /** Why connections were not ended the last time. */
  get problem(): string | undefined {
    return this.#problem;
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

  /** Whether a socket was destroyed here: a list of before still has it. */
  isCut({ handle }: TcpSocket): boolean {
    return this.#cut.has(socketCookie(handle));
  }

  /** Whether the end of a socket is no news. Said once for each. */
  hasCut(cookie: number): boolean {
    if (!this.#cut.has(cookie)) return false;
    this.#cut.delete(cookie);
    return true;
  }

  /** Destroys sockets. Never rejects. @returns for each whether it is gone */
  async destroy(sockets: readonly TcpSocket[]): Promise<readonly boolean[]> {
    if (sockets.length === 0) return [];
    for (const { handle } of sockets) this.#cut.keep(socketCookie(handle), true);
    const gone = await this.#order(sockets);
    for (const [index, { handle }] of sockets.entries())
      if (gone[index] !== true) this.#cut.delete(socketCookie(handle));
    return gone;
  }

  /** What is doomed stays, and nothing more is tried. */
  close(): void {
    this.#isClosed = true;
  }

  async #order(sockets: readonly TcpSocket[]): Promise<readonly boolean[]> {
    try {
      const results = await this.#kernel.destroy(sockets);
      const failed = firstFailure(results);
      this.#problem = undefined;
      if (failed !== undefined) this.#fail(`the kernel does not destroy sockets: ${errnoName(failed)}`);
      return results.map((result) => !hasFailed(result));
    } catch (error) {
      this.#fail(messageOf(error));
      return sockets.map(() => false);
    }
  }

  #fail(problem: string): void {
    this.#problem = problem;
    this.#events.failed(problem);
  }

  /** Never rejects. */
  async #cutDoomed(): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (this.#doomed.length > 0) {
      const some = this.#doomed;
      this.#doomed = [];
      const { missing, left } = await this.#cutNow(some);
      const again = missing.length === 0 ? { missing, left: [] } : await this.#cutMissing(missing);
      for (const one of again.missing) this.#events.finish(one);
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
  }

  /**
   * They have ended by themselves, or were being opened and the list of sockets had them; or their last packet of the handshake is on its
   * way to the socket.
   */
  async #cutMissing(connections: readonly DirectConnection[]): Promise<Outcome> {
    await this.#events.read();
    const { missing, left } = await this.#cutNow(connections);
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
      this.#fail(messageOf(error));
      return { missing: [], left: connections };
    }
    const missing: DirectConnection[] = [];
    const left: DirectConnection[] = [];
    const sockets = connections.map((one) => listed.get(keyOf(one)));
    for (const one of await this.#cutFound(connections, sockets, missing, left)) this.#events.finish(one);
    return { missing, left };
  }

  /**
   * The first order is out before anything else has its turn. While some are destroyed, on another thread, the next ones are asked about.
   * Never rejects.
   */
  async #cutNow(connections: readonly DirectConnection[]): Promise<Outcome> {
    const missing: DirectConnection[] = [];
    const left: DirectConnection[] = [];
    const gone: DirectConnection[] = [];
    let order: Promise<readonly DirectConnection[]> | undefined;
    for (let from = 0; from < connections.length; from += CUT_AT_ONCE) {
      const some = connections.slice(from, from + CUT_AT_ONCE);
      const sockets = this.#askFor(some);
      if (order !== undefined) gone.push(...(await order)); // others need the pool's threads as well
      order = sockets && this.#cutFound(some, sockets, missing, left);
      if (sockets === undefined) left.push(...some);
    }
    if (order !== undefined) gone.push(...(await order));
    // Records last: they take longer than all else.
    for (const [index, connection] of gone.entries()) {
      this.#events.finish(connection);
      if (index % RECORDS_AT_ONCE === RECORDS_AT_ONCE - 1) await turn();
    }
    return { missing, left };
  }

  #askFor(connections: readonly DirectConnection[]): readonly (TcpSocket | undefined)[] | undefined {
    try {
      return this.#kernel.socketsAt(connections.map(endsOf));
    } catch (error) {
      this.#fail(messageOf(error));
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
    const gone = await this.destroy(there.map(({ socket }) => socket));
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

/** As the kernel is asked about a connection. */
export function endsOf({ remote, local }: DirectConnection): SocketPair {
  return { local, remote };
}
