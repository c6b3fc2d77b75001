/**
 * What flows of the proxy have left in the kernel when they are over: a flow ends when both sides have closed and the kernel has all
 * bytes. Those that an app sent last may still wait there for a client that reads slowly, and no flow is left that could be reset.
 */
import { isDeniedForCertain, isLoopback, type Judge } from '../../policy/index.ts';
import {
  backlogRoom,
  destroySockets,
  firstFailure,
  type Side,
  SOCKET_STATES,
  type TcpSocket,
  type TrackedFlow,
  tcpFlows,
  tcpSockets,
} from '../kernel/index.ts';

/** What a kernel has, and does to it. */
export interface LeftoverKernel {
  /** Those of these states that are `wanted`. */
  sockets(
    wanted: (local: Side, remote: Side) => boolean,
    states: number,
  ): AsyncIterable<readonly TcpSocket[]>;
  /** The flow that each socket belongs to, as connection tracking knows it. */
  flowsOf(sockets: readonly TcpSocket[]): Promise<readonly (TrackedFlow | undefined)[]>;
  /** Whether somebody listens there. */
  isListening(place: Side): Promise<boolean>;
  /** @returns for each 0 or a negative error number */
  destroy(sockets: readonly TcpSocket[]): Promise<readonly number[]>;
}

const KERNEL: LeftoverKernel = {
  sockets: tcpSockets,
  flowsOf: (sockets) =>
    tcpFlows(sockets.map(({ local, remote }) => ({ source: local, destination: remote }))),
  isListening: async (place) => (await backlogRoom(place)) !== undefined,
  destroy: destroySockets,
};

/**
 * Destroys what a table denies of that. There is no record: the flow has one already.
 * @param isExempt whether policy is not asked about an address: the pod's own node
 * @param isTranslated whether a port is one of the proxy's that the redirect translates to: clients have sent to another
 * @returns the error number where the kernel did not do it
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export async function endLeftovers(
  judge: Judge,
  isExempt: (address: string, port: number) => boolean,
  isTranslated: (port: number) => boolean,
  kernel: LeftoverKernel = KERNEL,
): Promise<number | undefined> {
  const { ingress, subject } = judge.table;
  if (ingress.isolating.length === 0) return undefined;
  const isDenied = ({ port }: Side, remote: Side): boolean => {
    if (isLoopback(remote.address) || subject.ips.includes(remote.address)) return false;
    if (isExempt(remote.address, port)) return false;
    return isDeniedForCertain(judge, 'ingress', remote.address, 'TCP', port);
  };
  const wanted = (local: Side, remote: Side) => isTranslated(local.port) || isDenied(local, remote);
  const left: TcpSocket[] = [];
  for await (const some of kernel.sockets(wanted, SOCKET_STATES.closing)) left.push(...some);
  if (left.length === 0) return undefined;
  const flows = await kernel.flowsOf(left);
  const listening = new Map<string, boolean>();
  const isListening = async (place: Side): Promise<boolean> => {
    const key = `${place.address} ${place.port}`;
    const known = listening.get(key) ?? (await kernel.isListening(place));
    listening.set(key, known);
    return known;
  };
  const denied: TcpSocket[] = [];
  for (const [index, socket] of left.entries()) {
    const { local, remote } = socket;
    const flow = flows[index];
    const isOpenedHere = flow !== undefined && isSame(flow.source, local);
    // What the pod has opened itself is judged by the gate, packet by packet. Where connection tracking does not know who has
    // opened it, a listener says so.
    const isKnown = flow !== undefined && flow.isPickedUp !== true;
    if (isKnown ? isOpenedHere : !(await isListening(local))) continue;
    // A rule of the pod's own, or the redirect, may have led it here.
    const place = flow === undefined || isOpenedHere ? local : flow.destination;
    if (isDenied(place, remote)) denied.push(socket);
  }
  return firstFailure(await kernel.destroy(denied));
}

function isSame(a: Side, b: Side): boolean {
  return a.address === b.address && a.port === b.port;
}
