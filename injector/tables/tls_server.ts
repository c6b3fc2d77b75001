/** The table server over TLS, for sidecars in a cluster: who connects shows a token and is served that pod's table. */
import { createServer, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { listenTcp, type TcpAddress } from '../../common/tcp_listen.ts';
import { WIRE_PROTOCOLS, wireVersion } from '../../policy/index.ts';
import {
  type DoorLimits,
  followCertificate,
  HERD_BACKLOG,
  putDoor,
  type ServingCertificate,
  TLS_FORM,
} from '../doors/index.ts';
import type { TokenAuthenticator } from '../tokens/index.ts';
import { FrameConnection } from './frame_connection.ts';
import { Login } from './login.ts';
import { ReadingTurns } from './reading_turns.ts';
import type { TableServer } from './table_server.ts';

/** Time for a handshake, and again for the token that follows it, ms. */
const LOGIN_STEP_MS = 5_000;

/** Idle time before TCP keepalive probes, ms: a sidecar says little, and its node may vanish. */
const KEEPALIVE_MS = 30_000;

/** Small changes must not wait for the acknowledgement of the one before: that takes 40 ms where nothing goes back. */
const TCP = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS } as const;

/**
 * Of connections that have not logged in. A pod has one sidecar, so one address needs few; where many sidecars come from the
 * address of a translator they take turns.
 */
const LOGIN_LIMITS: Omit<DoorLimits, 'stepMs'> = {
  maxPerAddress: 16,
  maxTotal: 512,
  maxWaiting: HERD_BACKLOG,
  handshakes: { burst: 20, perSecond: 20 },
};

/** What a TLS server serves, and to whom. */
export interface TlsServerParts {
  readonly tables: TableServer;
  readonly authenticator: TokenAuthenticator;
  readonly certificate: ServingCertificate;
  readonly log: Logger;
}

/** Where it listens. Tests shorten the times and lower the limits. */
export interface TlsServerOptions extends Partial<Omit<DoorLimits, 'stepMs'>>, TcpAddress {
  /** Default 5 s. */
  readonly loginStepMs?: number;
}

/** A listening server. */
export interface TlsServer {
  readonly port: number;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Serves tables over TLS 1.3. Connections that have not logged in are bounded in number and in time.
 * @throws SluiceError `LISTEN_ADDRESS_UNUSABLE`
 */
export async function startTlsServer(parts: TlsServerParts, options: TlsServerOptions): Promise<TlsServer> {
  const { tables, authenticator, certificate, log } = parts;
  const stepMs = options.loginStepMs ?? LOGIN_STEP_MS;
  const server = createServer({
    ...certificate.current,
    ...TLS_FORM,
    ...TCP,
    ALPNProtocols: [...WIRE_PROTOCOLS],
    handshakeTimeout: stepMs,
  });
  followCertificate(server, certificate);
  const turns = new ReadingTurns();
  const turnedAway = (): void => tables.metrics.sessionsCut.inc({ reason: 'too-many' });
  const door = putDoor(server, { ...LOGIN_LIMITS, ...options, stepMs }, turnedAway);
  server.on('tlsClientError', (err, socket) => {
    log.debug({ err, peer: socket.remoteAddress }, 'TLS handshake with a sidecar failed');
    socket.destroy();
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const place = door.placeOf(socket);
    if (place === undefined) return void socket.destroy(); // it has just made room
    const connection = new FrameConnection(socket, log, turns);
    const wire = wireVersion(socket.alpnProtocol);
    const { admitted } = door;
    connection.readFirst(
      new Login(connection, { tables, authenticator, log, helloTimeoutMs: stepMs, place, admitted, wire }),
    );
  });

  const port = await listenTcp(server, { ...options, backlog: HERD_BACKLOG });
  server.on('error', (err) => log.error({ err }, 'cannot accept sidecar connections'));
  log.info({ port }, 'serving tables over TLS');
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        door.closeAll();
      }),
  };
}
