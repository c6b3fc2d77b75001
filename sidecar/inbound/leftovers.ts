/**
 * What flows of the proxy have left in the kernel when they are over: a flow ends when both sides have closed and the kernel has all
 * bytes. Those that an app sent last may still wait there for a client that reads slowly, and no flow is left that could be reset.
 */
import { isDeniedForCertain, isLoopback, type Judge } from '../../policy/index.ts';
import {
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
  /** @returns for each 0 or a negative error number */
  destroy(sockets: readonly TcpSocket[]): Promise<readonly number[]>;
}

const KERNEL: LeftoverKernel = {
  sockets: tcpSockets,
  flowsOf: (sockets) =>
    tcpFlows(sockets.map(({ local, remote }) => ({ source: local, destination: remote }))),
  destroy: destroySockets,
};

/**
 * Destroys what a table denies of that. There is no record: the flow has one already.
 * @param isExempt whether policy is not asked about an address: the pod's own node
 * @returns the error number where the kernel did not do it
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
 */
export async function endLeftovers(
  judge: Judge,
  isExempt: (address: string, port: number) => boolean,
  kernel: LeftoverKernel = KERNEL,
): Promise<number | undefined> {
  const { ingress, subject } = judge.table;
  if (ingress.isolating.length === 0) return undefined;
  const isDenied = ({ port }: Side, remote: Side): boolean => {
    if (isLoopback(remote.address) || subject.ips.includes(remote.address)) return false;
    if (isExempt(remote.address, port)) return false;
    return isDeniedForCertain(judge, 'ingress', remote.address, 'TCP', port);
  };
  const denied: TcpSocket[] = [];
  for await (const some of kernel.sockets(isDenied, SOCKET_STATES.closing)) denied.push(...some);
  if (denied.length === 0) return undefined;
  const flows = await kernel.flowsOf(denied);
  // What the pod has opened itself is judged by the gate, packet by packet.
  const accepted = denied.filter(({ local, remote }, index) => {
    const flow = flows[index];
    if (flow === undefined) return true;
    const isOpenedHere = flow.source.address === local.address && flow.source.port === local.port;
    return !isOpenedHere && isDenied(flow.destination, remote); // a rule of the pod's own may have led it here
  });
  return firstFailure(await kernel.destroy(accepted));
}
