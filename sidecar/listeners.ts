/** The transparent listeners that TPROXY delivers to: one on loopback for each family the pod has. */
import net from 'node:net';
import type { Family } from '../native/addon.ts';
import type { Sockets } from '../native/sockets.ts';
import { SluiceError } from '../policy/errors.ts';
import { listenerAddress } from './redirect/rules.ts';

/** Connections that may wait for accept; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 4096;

/** What happens at the listeners. */
export interface ListenerEvents {
  /** An accepted connection; it is paused, allows half-open, and its local address is the original destination. */
  connection(client: net.Socket): void;
  /** Accepting failed, for want of file descriptors. The listener goes on. */
  acceptError(error: Error): void;
}

/** The running listeners. */
export interface Listeners {
  readonly families: readonly Family[];
  /** Stops accepting; accepted connections go on. */
  close(): void;
}

/**
 * Listens for both families; a namespace without IPv6 gets IPv4 alone.
 * @throws SluiceError `SOCKET_*`
 */
export async function listenInbound(
  sockets: Sockets,
  port: number,
  events: ListenerEvents,
): Promise<Listeners> {
  const servers: net.Server[] = [];
  const families: Family[] = [];
  for (const family of [4, 6] as const) {
    const fd = listenOn(sockets, family, port);
    if (fd === undefined) continue;
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, events.connection);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', events.acceptError);
    servers.push(server);
    families.push(family);
  }
  return {
    families,
    close() {
      for (const server of servers) server.close();
    },
  };
}

function listenOn(sockets: Sockets, family: Family, port: number): number | undefined {
  try {
    return sockets.listenTransparent(family, listenerAddress(family), port, BACKLOG);
  } catch (error) {
    const absent = ['SOCKET_ADDRESS_UNAVAILABLE', 'SOCKET_KERNEL_UNSUPPORTED'];
    if (family === 6 && error instanceof SluiceError && absent.includes(error.code)) return undefined;
    throw error;
  }
}
