/** What the kernel says of direct connections, and does to them. */
import { Readiness } from '../../native/index.ts';
import {
  ConntrackEvents,
  type DestroyedSocket,
  destroySockets,
  destroySocketsAt,
  forgetFlows,
  isListening,
  movedFlows,
  openHandshakes,
  type Side,
  SOCKET_STATES,
  SocketEnds,
  type SocketPair,
  SynCookies,
  type TcpSocket,
  type TrackedEntry,
  type TrackedFlow,
  tcpFlows,
  tcpSockets,
  tcpSocketsAt,
  type WantedPorts,
} from '../kernel/index.ts';

/**
 * Those that may carry data, those that are being opened, and those whose app has closed them while the kernel still sends what it
 * has left.
 */
export const LISTED_STATES = SOCKET_STATES.live | SOCKET_STATES.arriving | SOCKET_STATES.closing;

/** What is asked of it. */
export interface DirectKernel {
  beginnings(): Pick<ConntrackEvents, 'receive' | 'close' | 'fd'>;
  /** @param isNews asked for each socket, by its cookie, before anything else of it is read: false where its end is no news */
  ends(
    wanted: WantedPorts,
    isNews: (cookie: number) => boolean,
  ): Pick<SocketEnds, 'receive' | 'close' | 'fd'>;
  /** Has `ready` called once for each `arm`, when reports wait in one of these. To be closed before them. */
  readiness(of: readonly { readonly fd: number }[], ready: () => void): Pick<Readiness, 'arm' | 'close'>;
  sockets(
    wanted: (local: Side, remote: Side) => boolean,
    states: number,
  ): AsyncIterable<readonly TcpSocket[]>;
  /** At once, so that nothing comes between a look and the order that follows from it. */
  socketsAt(ends: readonly SocketPair[]): readonly (TcpSocket | undefined)[];
  /**
   * Finds connections, and ends them, in one order: at most 1,024.
   * @returns for each what it was, and 0 or a negative error number; `undefined` where no connection was found
   */
  destroyAt(ends: readonly SocketPair[]): Promise<readonly (DestroyedSocket | undefined)[]>;
  /** The flow that each socket belongs to, opened by either end; a rule may have led it to the socket. */
  flowsOf(sockets: readonly TcpSocket[]): Promise<readonly (TrackedFlow | undefined)[]>;
  /** Whether somebody listens there. */
  isListening(place: Side): Promise<boolean>;
  /** @returns for each 0 or a negative error number */
  destroy(sockets: readonly TcpSocket[]): Promise<readonly number[]>;
  /** Says when clients may have SYN cookies. */
  cookies(): Pick<SynCookies, 'mayBeValid'>;
  /** Those that rules lead elsewhere than where they were sent to. */
  movedFlows(): AsyncIterable<readonly TrackedFlow[]>;
  openHandshakes(): AsyncIterable<readonly TrackedEntry[]>;
  /** Has connection tracking forget flows. @returns for each 0 or a negative error number */
  forget(flows: readonly TrackedEntry[]): Promise<readonly number[]>;
}

/** The kernel of this network namespace, by netlink. */
export const KERNEL: DirectKernel = {
  beginnings: () => new ConntrackEvents('beginnings'),
  ends: (wanted, isNews) => new SocketEnds(wanted, isNews),
  readiness: (of, ready) => new Readiness(of, ready),
  sockets: tcpSockets,
  socketsAt: tcpSocketsAt,
  destroyAt: destroySocketsAt,
  flowsOf: (sockets) =>
    tcpFlows(sockets.map(({ local, remote }) => ({ source: local, destination: remote }))),
  isListening: async (place) => isListening(place),
  destroy: destroySockets,
  cookies: () => new SynCookies(),
  movedFlows,
  openHandshakes,
  forget: forgetFlows,
};
