/**
 * The transparent listeners that TPROXY delivers to: one for each family the pod has. They are on all addresses, as connections
 * whose SYN met another socket come by the pod's own. One that is made to their port itself leads nowhere.
 */
import type { Family } from '../../native/addon.ts';
import type { Sockets } from '../../native/sockets.ts';
import { isSwitchedOn } from '../kernel_families.ts';

/** Connections that may wait for accept; the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4096;

/** A listening socket; whoever has it closes it. */
export interface Listener {
  readonly family: Family;
  readonly fd: number;
}

/**
 * Listens for both families; where IPv6 is switched off, for IPv4 alone.
 * @throws SluiceError `SOCKET_*`; nothing is left open then
 */
export function listenInbound(sockets: Sockets, port: number): readonly Listener[] {
  const listeners: Listener[] = [];
  try {
    for (const family of ([4, 6] as const).filter(isSwitchedOn)) {
      const fd = sockets.listenTransparent(family, family === 6 ? '::' : '0.0.0.0', port, BACKLOG);
      listeners.push({ family, fd });
    }
    return listeners;
  } catch (error) {
    for (const { fd } of listeners) sockets.close(fd);
    throw error;
  }
}
