/**
 * Looks through the kernel's own list of sockets for those that nobody follows: they are followed from then on, or end. Handshakes that are
 * not complete are in no list where there are SYN cookies: connection tracking forgets those of denied clients.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { errnoName } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { isDeniedForCertain, type Judge } from '../../policy/index.ts';
import { firstFailure, type Side, socketCookie, type TcpSocket, type TrackedEntry } from '../kernel/index.ts';
import { type DirectKernel, LISTED_STATES } from './direct_kernel.ts';
import type { DirectReports } from './direct_reports.ts';
import type { Followed } from './followed.ts';
import type { SocketCutter } from './socket_cutter.ts';

/** Sockets judged at a time, some 20 us each. */
const AT_ONCE = 50;

const NO_PORTS: ReadonlySet<number> = new Set();

/** A socket that the app has accepted, or is about to. */
interface Accepted {
  readonly socket: TcpSocket;
  /** Who has opened it: the socket has another address or port of it where that was translated on its way in. */
  readonly client: Side;
  /** What its client has sent to. */
  readonly place: Side;
}

/** What it works with. */
export interface StocktakingParts {
  readonly kernel: DirectKernel;
  readonly followed: Followed;
  readonly reports: Pick<DirectReports, 'read'>;
  readonly cutter: SocketCutter;
  /** The one in force. */
  readonly judge: () => Judge | undefined;
}

/** Of one sidecar. */
export class Stocktaking {
  readonly #parts: StocktakingParts;
  readonly #cookies: ReturnType<DirectKernel['cookies']>;
  #isTaken = false;

  constructor(parts: StocktakingParts) {
    this.#parts = parts;
    this.#cookies = parts.kernel.cookies();
  }

  /**
   * A client that has a SYN cookie can complete its handshake long after the gate was shut to it. Connection tracking forgets that
   * the handshake has begun: its last packet is then that of another flow, which the gate judges.
   * @throws SluiceError `NETLINK_*` or `SOCKET_*`
   */
  async forgetHandshakes(): Promise<void> {
    if (!this.#cookies.mayBeValid()) return;
    const { kernel, followed } = this.#parts;
    const denied: TrackedEntry[] = [];
    for await (const some of kernel.openHandshakes())
      for (const flow of some)
        if (followed.concerns(flow.destination, flow.source) && this.#isDenied(flow.source, flow.destination))
          denied.push(flow);
    const failed = firstFailure(await kernel.forget(denied));
    if (failed !== undefined)
      throw new SluiceError('NETLINK_FAILED', `the kernel does not forget flows: ${errnoName(failed)}`);
  }

  /**
   * @param hasLostReports beginnings may not have been reported
   * @throws SluiceError `NETLINK_*` or `SOCKET_*`, also where sockets are not destroyed
   */
  async take(hasLostReports = false): Promise<void> {
    const { kernel, followed, reports, cutter } = this.#parts;
    const strangers: TcpSocket[] = [];
    // What has begun later than this process was reported.
    const isWhole = hasLostReports || !this.#isTaken || followed.isFull;
    const moved = isWhole ? await this.#movedTo() : NO_PORTS;
    const isStranger = (local: Side, remote: Side): boolean =>
      (moved.has(local.port) || followed.concerns(local, remote)) &&
      followed.get(remote, local)?.isDoomed !== false;
    for await (const some of kernel.sockets(isStranger, LISTED_STATES)) strangers.push(...some);
    const doomed: TcpSocket[] = [];
    for (const [index, { socket, client, place }] of (await this.#accepted(strangers)).entries()) {
      if (index % AT_ONCE === AT_ONCE - 1) await turn();
      const known = followed.holding(socket, socketCookie(socket.handle));
      if (cutter.isCut(socket)) continue; // while it was asked about
      if (known !== undefined) {
        if (known.isDoomed && cutter.isIdle) cutter.doom(known); // an order has failed
        continue;
      }
      // Who takes over what is followed from now on judges it.
      const isFollowed = !socket.isArriving && !followed.isFull;
      if (!isFollowed && this.#isDenied(client, place)) doomed.push(socket);
      else if (!socket.isArriving) followed.found(socket, client, place);
    }
    const gone = await cutter.destroy(doomed);
    if (gone.includes(false)) throw new SluiceError('NETLINK_FAILED', cutter.problem ?? 'not destroyed');
    // What waits may still be about those that are in the list.
    if (await reports.read()) followed.allReported();
    this.#isTaken = true;
  }

  /** Ports that answer for direct ones, and may be the proxy's otherwise: rules of the pod's own lead connections there. */
  async #movedTo(): Promise<ReadonlySet<number>> {
    const { kernel, followed } = this.#parts;
    const ports = new Set<number>();
    for await (const some of kernel.movedFlows())
      for (const flow of some) if (followed.isWanted(flow)) ports.add(flow.answering.port);
    return ports;
  }

  /** Those that the pod has not opened itself. */
  async #accepted(sockets: readonly TcpSocket[]): Promise<readonly Accepted[]> {
    const { kernel, followed } = this.#parts;
    const asked = sockets.filter(({ isArriving }) => !isArriving);
    const flows = await kernel.flowsOf(asked);
    const accepted: Accepted[] = [];
    const asItIs = (socket: TcpSocket): Accepted => ({ socket, client: socket.remote, place: socket.local });
    const isDirect = ({ local, remote }: TcpSocket): boolean => followed.concerns(local, remote);
    for (const socket of sockets) if (socket.isArriving && isDirect(socket)) accepted.push(asItIs(socket));
    for (const [index, socket] of asked.entries()) {
      const flow = flows[index];
      // Where connection tracking does not know who has opened it, a listener says so.
      if (flow === undefined || flow.isPickedUp === true) {
        if (isDirect(socket) && (await kernel.isListening(socket.local))) accepted.push(asItIs(socket));
      } else if (isSame(flow.answered, socket.remote) && followed.isWanted(flow)) {
        accepted.push({ socket, client: flow.source, place: flow.destination });
      }
    }
    return accepted;
  }

  /** Whether the table in force denies a client for certain. */
  #isDenied(client: Side, { port }: Side): boolean {
    const judge = this.#parts.judge();
    return judge !== undefined && isDeniedForCertain(judge, 'ingress', client.address, 'TCP', port);
  }
}

function isSame(a: Side, b: Side): boolean {
  return a.address === b.address && a.port === b.port;
}
