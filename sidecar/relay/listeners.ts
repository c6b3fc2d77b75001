/**
 * The transparent listeners of the proxy. The one that TPROXY delivers to is on loopback. Those that a translation leads to are on
 * all addresses, as translated connections come by the pod's own; one that is made to such a port itself leads nowhere.
 */
import { translatedPorts } from '../../common/inbound_ports.ts';
import type { Family, Sockets } from '../../native/index.ts';
import { isSwitchedOn } from '../kernel/index.ts';
import { listenerAddress } from '../redirect/index.ts';

/** Connections that may wait for accept; the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4096;

/** The listening sockets of a family; their owner closes them. */
export interface Listeners {
  readonly family: Family;
  readonly fds: readonly number[];
}

/**
 * Listens for both families on each of `inboundPorts`; where IPv6 is switched off, for IPv4 alone.
 * @throws SluiceError `SOCKET_*`; nothing is left open then
 */
export function listenInbound(sockets: Sockets, inboundPort: number): readonly Listeners[] {
  const opened: number[] = [];
  const listen = (family: Family, address: string, port: number): number => {
    const fd = sockets.listenTransparent(family, address, port, BACKLOG);
    opened.push(fd);
    return fd;
  };
  const ofFamily = (family: Family): Listeners => ({
    family,
    fds: [
      listen(family, listenerAddress(family), inboundPort),
      ...translatedPorts(inboundPort).map((port) => listen(family, family === 6 ? '::' : '0.0.0.0', port)),
    ],
  });
  try {
    return ([4, 6] as const).filter(isSwitchedOn).map(ofFamily);
  } catch (error) {
    for (const fd of opened) sockets.close(fd);
    throw error;
  }
}
