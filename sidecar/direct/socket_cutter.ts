/** Has the kernel destroy sockets of direct connections, until they are gone. */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Backoff } from '../../common/backoff.ts';
import { errnoName, messageOf } from '../../common/errno.ts';
import { Recent } from '../../common/recent.ts';
import {
  type DestroyedSocket,
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

/** Those of one order to the kernel, which has a thread of the pool for some 15 ms. */
const CUT_AT_ONCE = 512;

/** Orders under way at once: with all of the pool's threads, the gate's transaction would have to wait. */
const ORDERS_AT_ONCE = 2;

/** Records written at a time; each takes some 50 us. */
export const RECORDS_AT_ONCE = 50;

/** Destroyed sockets that their apps may still hold: when they close them, that is reported too. All that are followed may end at once. */
const CUT_REMEMBERED = 65_536;

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
  readonly #cut = new Recent<number, true>(CUT_REMEMBERED);
  /** Connections whose end was reported while they were being ended, by the cookies of their sockets. */
  readonly #reported = new Map<number, DirectConnection>();
  #ordering: Promise<unknown> = Promise.resolve();
  #doomed: DirectConnection[] = [];
  #cutting: Promise<void> | undefined;
  #problem: string | undefined;
  #isClosed = false;

  /** @param mustEnd false: the kernel is known not to do it, so nobody waits for that */
  constructor(kernel: CuttingKernel, events: CutEvents, mustEnd: boolean) {
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

  /** Resolves when all that is to end by now was ordered to, once. Never rejects. */
  async ordered(): Promise<void> {
    await this.#ordering;
  }

  /**
   * Whether a connection whose socket is gone is being ended: then it is finished here.
   * @param cookie of the socket
   */
  isEnding(connection: DirectConnection, cookie: number): boolean {
    if (!connection.isDoomed || this.#cutting === undefined) return false;
    this.#reported.set(cookie, connection);
    return true;
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
      this.#note(results);
      return results.map((result) => !hasFailed(result));
    } catch (error) {
      this.#fail(messageOf(error));
      return sockets.map(() => false);
    }
  }

  #note(results: readonly number[]): void {
    const failed = firstFailure(results);
    this.#problem = undefined;
    if (failed !== undefined) this.#fail(`the kernel does not destroy sockets: ${errnoName(failed)}`);
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
      const now = this.#cutNow(some);
      this.#ordering = now;
      const { gone, missing, left } = await now;
      await this.#finishAll(gone);
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
    // Those that no order found, or could end, have ended all the same.
    for (const one of this.#reported.values()) this.#events.finish(one);
    this.#reported.clear();
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
   * The first order is out before anything else has its turn. Nothing is recorded before all orders are carried out: that takes longer
   * than all else. Never rejects.
   */
  async #cutNow(
    connections: readonly DirectConnection[],
  ): Promise<Outcome & { readonly gone: readonly DirectConnection[] }> {
    const outcome = { gone: [], missing: [], left: [] };
    const underWay: Promise<void>[] = [];
    for (let from = 0; from < connections.length; from += CUT_AT_ONCE) {
      if (underWay.length >= ORDERS_AT_ONCE) await underWay.shift();
      underWay.push(this.#cutSome(connections.slice(from, from + CUT_AT_ONCE), outcome));
    }
    await Promise.all(underWay);
    return outcome;
  }

  /** Looks up and ends connections in one order. Never rejects. */
  async #cutSome(
    connections: readonly DirectConnection[],
    outcome: { readonly gone: DirectConnection[] } & Record<keyof Outcome, DirectConnection[]>,
  ): Promise<void> {
    // Ends are reported while the order is carried out.
    for (const { cookie } of connections) if (cookie !== undefined) this.#cut.keep(cookie, true);
    const destroyed = await this.#orderAt(connections);
    for (const [index, connection] of connections.entries()) {
      const one = destroyed?.[index];
      const isGone = one !== undefined && !hasFailed(one.result);
      const cookie = one && socketCookie(one.socket.handle);
      if (connection.cookie !== undefined && (!isGone || connection.cookie !== cookie))
        this.#cut.delete(connection.cookie);
      if (one === undefined) {
        outcome[destroyed === undefined ? 'left' : 'missing'].push(connection);
        continue;
      }
      connection.counted(one.socket);
      outcome[isGone ? 'gone' : 'left'].push(connection);
      if (isGone && cookie !== undefined && cookie !== connection.cookie && !this.#reported.has(cookie))
        this.#cut.keep(cookie, true);
    }
  }

  async #orderAt(
    connections: readonly DirectConnection[],
  ): Promise<readonly (DestroyedSocket | undefined)[] | undefined> {
    try {
      const destroyed = await this.#kernel.destroyAt(connections.map(endsOf));
      this.#note(destroyed.map((one) => one?.result ?? 0));
      return destroyed;
    } catch (error) {
      this.#fail(messageOf(error));
      return undefined;
    }
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
