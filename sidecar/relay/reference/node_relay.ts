/**
 * The relay on node:net, the reference that tests compare the native relay with. It needs the native addon for its sockets, so
 * there is no machine where it runs and the native one does not. It has the life of a connection, top to bottom.
 */
import net from 'node:net';
import { codeOrMessageOf, messageOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { isTranslatedPort } from '../../../common/inbound_ports.ts';
import { type Family, familyOf } from '../../../common/net.ts';
import type { Sockets } from '../../../native/index.ts';
import { socketAddress } from '../../../policy/index.ts';
import { addressOfBytes } from '../address_of_bytes.ts';
import { BACKLOG, listenInbound } from '../listeners.ts';
import { probing } from '../probing.ts';
import type {
  Connection,
  Ending,
  Endpoint,
  Progress,
  Relay,
  RelayEnd,
  RelayEvents,
  RelaySettings,
} from '../relay.ts';
import { AppLegs, isPortClash } from './app_leg.ts';
import { descriptorOf, relayBytes, resetSocket, UnreadSockets } from './byte_relay.ts';

/**
 * Most dials of one flow. A clash means that this client holds a flow from that port: the next one is far away, so
 * only a client with most ports in use clashes often.
 */
const DIAL_ATTEMPTS = 16;

/** What this relay lacks, and what follows from it. */
export const NODE_RELAY_LIMITS: readonly string[] = [
  "the node relay sets no limit to the kernel's buffers of a flow: flows that nobody reads can take the sidecar's memory",
  'when the sidecar is killed, the kernel closes the connections of the node relay as if they were complete, without a reset',
];

/** @throws SluiceError `SOCKET_*`, or a system error */
export async function startNodeRelay(settings: RelaySettings, events: RelayEvents): Promise<Relay> {
  const { sockets } = settings;
  const unread = new UnreadSockets(sockets);
  const connections = new Set<NodeConnection>();
  const shared: Shared = { ...settings, unread, appLegs: new AppLegs(sockets) };
  const listeners = listenInbound(sockets, settings.inboundPort);
  const fds = listeners.flatMap((ofFamily) => ofFamily.fds);
  const servers = await Promise.all(fds.map((fd) => serve(fd, accepted, events)));

  function accepted(client: net.Socket): void {
    client.on('error', () => client.destroy()); // until the relay has its own handler
    const { remoteAddress, remotePort, localAddress, localPort } = client;
    if (!remoteAddress || !remotePort || !localAddress || !localPort) {
      // The client has gone: there is no address to judge.
      client.destroy();
      return events.acceptFailed('ECONNABORTED');
    }
    const family = familyOf(localAddress);
    const connection = new NodeConnection(
      client,
      shared,
      family,
      { address: socketAddress(remoteAddress), port: remotePort },
      isTranslatedPort(settings.inboundPort, localPort)
        ? translatedFrom(client, family, sockets)
        : { address: socketAddress(localAddress), port: localPort },
    );
    connections.add(connection);
    const owner = events.accepted(connection);
    connection.onEnd = (ending) => {
      connections.delete(connection);
      owner.ended(ending);
    };
  }

  const stopAccepting = (): void => {
    for (const server of servers) server.close();
  };
  return {
    families: listeners.map(({ family }) => family),
    forgetAdmissions() {}, // it remembers none
    settled: () => Promise.resolve(), // and has no thread of its own
    trustGate() {}, // and asks about each
    stopAccepting,
    close() {
      stopAccepting();
      for (const connection of connections) connection.abandon();
      unread.close();
    },
  };
}

/** Where a connection was going that came by a port of translations: there, or elsewhere before it was translated. */
function translatedFrom(client: net.Socket, family: Family, sockets: Sockets): Endpoint {
  const fd = descriptorOf(client);
  const found = fd === undefined ? undefined : sockets.originalDestination(fd, family);
  // Port 0 is nobody's: what has died meanwhile is refused like a closed port.
  if (found === undefined) return { address: socketAddress(client.localAddress ?? ''), port: 0 };
  return { address: addressOfBytes(found.address), port: found.port };
}

function serve(fd: number, accepted: (client: net.Socket) => void, events: RelayEvents): Promise<net.Server> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, accepted);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', (error) => events.acceptFailed(codeOrMessageOf(error)));
      resolve(server);
    });
  });
}

type Shared = RelaySettings & { readonly unread: UnreadSockets; readonly appLegs: AppLegs };

/** `state` only moves forward. */
class NodeConnection implements Connection {
  readonly family: Family;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly admitted = false;
  readonly admittedSince = false;
  onEnd: (ending: Ending) => void = () => {};
  readonly #client: net.Socket;
  readonly #shared: Shared;
  readonly #startedAtMs = performance.now();
  #app: net.Socket | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'dialling' | 'relaying' | 'ended' = 'waiting';

  constructor(client: net.Socket, shared: Shared, family: Family, source: Endpoint, destination: Endpoint) {
    this.#client = client;
    this.#shared = shared;
    this.family = family;
    this.source = source;
    this.destination = destination;
  }

  doubtGate(): void {}

  admit(): void {
    if (this.#state === 'waiting') this.#dial(1);
  }

  #dial(attempt: number): void {
    const { appLegs, connectTimeoutMs } = this.#shared;
    this.#state = 'dialling';
    let app: net.Socket;
    try {
      app = appLegs.dial({ family: this.family, clientAddress: this.source.address, ...this.destination });
    } catch (error) {
      return this.#end(isShortage(error) ? 'shortage' : 'dial-failed', messageOf(error));
    }
    this.#app = app;
    this.#connectTimer ??= setTimeout(() => this.#end('unreachable', 'ETIMEDOUT'), connectTimeoutMs);
    const failed = (error: NodeJS.ErrnoException): void => {
      if (this.#state !== 'dialling') return;
      if (!isPortClash(error)) return this.#end('unreachable', error.code);
      if (attempt === DIAL_ATTEMPTS) return this.#end('shortage', error.code);
      appLegs.skipPorts();
      this.#dial(attempt + 1);
    };
    app.once('error', failed);
    app.once('connect', () => {
      app.off('error', failed);
      this.#connected(app);
    });
  }

  #connected(app: net.Socket): void {
    if (this.#state !== 'dialling') return;
    clearTimeout(this.#connectTimer);
    if (this.#client.destroyed) return this.#end('reset-by-source');
    this.#state = 'relaying';
    for (const socket of [this.#client, app]) socket.setNoDelay(true);
    this.#keepAlive();
    this.#readInLine(app);
    app.setKeepAlive(true); // so that connection tracking does not forget the leg's mark
    if (this.#shared.idleMs > 0) this.#endWhenIdle();
    relayBytes(this.#client, app, this.#shared, (end, error) => this.#end(end, error));
  }

  /** Not by `setKeepAlive`: its ten probes, a second apart, end idle flows in a short outage. */
  #keepAlive(): void {
    const fd = descriptorOf(this.#client);
    if (fd !== undefined) this.#shared.sockets.keepAlive(fd, probing(this.#shared));
  }

  /** Ended at the second look that finds nothing new, so after one to two times as long. */
  #endWhenIdle(): void {
    let moved = -1;
    const look = (): void => {
      const { fromSource, toSource } = this.progress();
      if (fromSource + toSource === moved) return this.#end('idle-timeout');
      moved = fromSource + toSource;
    };
    this.#idleTimer = setInterval(look, this.#shared.idleMs).unref();
  }

  /** So no byte of a stream is lost; that it was urgent is. */
  #readInLine(app: net.Socket): void {
    for (const socket of [this.#client, app]) {
      const fd = descriptorOf(socket);
      if (fd !== undefined) this.#shared.sockets.readInLine(fd);
    }
  }

  resetSource(): void {
    resetSocket(this.#client, this.#shared.sockets);
  }

  reset(): void {
    this.#end('reset');
  }

  finish(): void {
    if (this.#state !== 'waiting') return;
    this.#client.end();
    this.#client.resume();
    this.#client.once('close', () => this.#end('closed'));
  }

  progress(): Progress {
    return {
      relaying: this.#state === 'relaying',
      fromSource: this.#client.bytesRead,
      toSource: this.#client.bytesWritten,
    };
  }

  /** Closes everything; no event follows. */
  abandon(): void {
    this.onEnd = () => {};
    this.#end('reset');
  }

  /** The one end of every connection: nothing stays open. The event comes later: the caller of `reset` is not called back at once. */
  #end(end: RelayEnd, error?: string): void {
    if (this.#state === 'ended') return;
    const { fromSource, toSource } = this.progress();
    this.#state = 'ended';
    clearTimeout(this.#connectTimer);
    clearInterval(this.#idleTimer);
    const { sockets } = this.#shared;
    resetSocket(this.#client, sockets); // has no effect on what is closed already
    if (this.#app !== undefined) resetSocket(this.#app, sockets);
    const durationMs = performance.now() - this.#startedAtMs;
    const ending = { end, fromSource, toSource, durationMs };
    queueMicrotask(() => this.onEnd(error === undefined ? ending : { ...ending, error }));
  }
}

/** Out of descriptors, or of ports. */
function isShortage(error: unknown): boolean {
  const codes = ['SOCKET_DESCRIPTORS_EXHAUSTED', 'SOCKET_ADDRESS_IN_USE'];
  return error instanceof SluiceError && codes.includes(error.code);
}
