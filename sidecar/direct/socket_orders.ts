/** Orders to the kernel that end sockets, and what is remembered of those that it has carried out. */
import { errnoName, messageOf } from '../../common/errno.ts';
import { Recent } from '../../common/recent.ts';
import {
  type DestroyedSocket,
  firstFailure,
  hasFailed,
  type SocketPair,
  socketCookie,
  type TcpSocket,
} from '../kernel/index.ts';
import type { DirectConnection } from './direct_connection.ts';
import type { DirectKernel } from './direct_kernel.ts';

/** Destroyed sockets that their apps may still hold: when they close them, that is reported too. All that are followed may end at once. */
const CUT_REMEMBERED = 65_536;

/** What became of a connection: it is gone, the kernel does not have it, or it is still there. */
export type Fate = 'gone' | 'missing' | 'left';

/** Those of one sidecar. */
export class SocketOrders {
  readonly #kernel: Pick<DirectKernel, 'destroy' | 'destroyAt'>;
  readonly #failed: (problem: string) => void;
  readonly #cut = new Recent<number, true>(CUT_REMEMBERED);
  /** Connections whose end was reported while they were being ended, by the cookies of their sockets. */
  readonly #reported = new Map<number, DirectConnection>();
  #problem: string | undefined;

  /** @param failed called for each order that was not carried out */
  constructor(kernel: Pick<DirectKernel, 'destroy' | 'destroyAt'>, failed: (problem: string) => void) {
    this.#kernel = kernel;
    this.#failed = failed;
  }

  /** Why sockets were not destroyed the last time. */
  get problem(): string | undefined {
    return this.#problem;
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

  /** The end of a socket is reported while its connection is being ended. */
  reported(cookie: number, connection: DirectConnection): void {
    this.#reported.set(cookie, connection);
  }

  /** The connections of these, once nothing is being ended any more. */
  takeReported(): readonly DirectConnection[] {
    const connections = [...this.#reported.values()];
    this.#reported.clear();
    return connections;
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

  /** Looks up connections by their ends, and destroys their sockets, in one order. Never rejects. */
  async destroyAt(connections: readonly DirectConnection[]): Promise<readonly Fate[]> {
    // Ends are reported while the order is carried out.
    for (const { cookie } of connections) if (cookie !== undefined) this.#cut.keep(cookie, true);
    const destroyed = await this.#orderAt(connections);
    return connections.map((connection, index) => {
      const one = destroyed?.[index];
      const isGone = one !== undefined && !hasFailed(one.result);
      this.#remember(connection.cookie, isGone ? socketCookie(one.socket.handle) : undefined);
      if (one === undefined) return destroyed === undefined ? 'left' : 'missing';
      connection.counted(one.socket);
      return isGone ? 'gone' : 'left';
    });
  }

  /** Something else could not be done. */
  fail(problem: string): void {
    this.#problem = problem;
    this.#failed(problem);
  }

  /** @param expected remembered before the order. @param cut what it has destroyed */
  #remember(expected: number | undefined, cut: number | undefined): void {
    if (expected === cut) return;
    if (expected !== undefined) this.#cut.delete(expected);
    if (cut !== undefined && !this.#reported.has(cut)) this.#cut.keep(cut, true);
  }

  async #order(sockets: readonly TcpSocket[]): Promise<readonly boolean[]> {
    try {
      const results = await this.#kernel.destroy(sockets);
      this.#note(results);
      return results.map((result) => !hasFailed(result));
    } catch (error) {
      this.fail(messageOf(error));
      return sockets.map(() => false);
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
      this.fail(messageOf(error));
      return undefined;
    }
  }

  #note(results: readonly number[]): void {
    const failed = firstFailure(results);
    this.#problem = undefined;
    if (failed !== undefined) this.fail(`the kernel does not destroy sockets: ${errnoName(failed)}`);
  }
}

/** As the kernel is asked about a connection: another one, from the same port of the client, is not meant where its socket is known. */
export function endsOf({ remote, local, cookie }: DirectConnection): SocketPair {
  return { local, remote, cookie };
}
