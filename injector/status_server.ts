/** Health, status and metrics of the injector: HTTP, on a unix socket of mode 0600, or on a port of a pod. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { listenTcp, type TcpAddress } from '../common/tcp_listen.ts';
import type { InjectorMetrics } from './metrics.ts';
import type { ClusterSource } from './source.ts';
import type { TableServer } from './table_server.ts';
import { listenUnix } from './unix_listen.ts';

/** A request that is not complete after this long is dropped, ms. */
const REQUEST_TIMEOUT_MS = 5_000;

/** A listening server. */
export interface StatusServer {
  close(): Promise<void>;
}

/** What a status server shows. */
export interface StatusParts {
  /** Absent while the injector is starting. */
  readonly tables: () => TableServer | undefined;
  readonly source: Pick<ClusterSource, 'refresh'>;
  readonly metrics: InjectorMetrics;
  /** What this replica's sidecars enforce, as JSON; absent where nobody asks. */
  readonly enforcing?: () => unknown;
  /** Pods that should have a sidecar and have none; absent where nobody looks. */
  readonly uninjected?: () => readonly string[] | undefined;
  /** Why the injector should be started anew; undefined: it is well. */
  readonly unhealthy: () => string | undefined;
  /** Why the injector cannot do its work yet; undefined: it can. */
  readonly unready: () => string | undefined;
}

/** Where to listen. Whoever reaches the pod may ask at a port: it shows health, metrics, and counts by policy. */
export type StatusAddress = { readonly path: string } | TcpAddress;

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Serves `GET /healthz`, `/readyz`, `/metrics`, in a cluster `/enforcing`, and on a unix socket `/status`.
 * `/status?refresh=1` first takes in all that was written to the source before the request.
 * @throws SluiceError as `listenUnix` does; `LISTEN_ADDRESS_UNUSABLE`
 */
export async function startStatusServer(
  parts: StatusParts,
  address: StatusAddress,
  log: Logger,
): Promise<StatusServer> {
  const trusted = 'path' in address;
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(parts, request, trusted)
      .catch((err: unknown): Reply => {
        log.error({ err }, 'status request failed');
        return text(500, 'internal error');
      })
      .then((reply) => send(response, request.method === 'HEAD', reply));
  });
  if (trusted) await listenUnix(server, address.path);
  else await listenTcp(server, address);
  server.on('error', (err) => log.error({ err }, 'cannot accept status connections'));
  log.info({ ...address }, 'serving status');
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(parts: StatusParts, request: IncomingMessage, trusted: boolean): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET');
  const url = new URL(request.url ?? '/', 'http://injector');
  switch (url.pathname) {
    case '/healthz':
      return verdict(parts.unhealthy());
    case '/readyz':
      return verdict(parts.unready());
    case '/metrics': {
      const { registry } = parts.metrics;
      return { code: 200, type: registry.contentType, body: await registry.metrics() };
    }
    case '/enforcing': {
      const counts = parts.enforcing?.();
      if (counts === undefined) break;
      return { code: 200, type: 'application/json', body: `${JSON.stringify(counts)}\n` };
    }
    case '/status': {
      if (!trusted) break;
      const tables = parts.tables();
      if (tables === undefined) return verdict(parts.unready() ?? 'starting');
      if (url.searchParams.has('refresh')) await parts.source.refresh();
      const status = { ...tables.status(), uninjected: parts.uninjected?.() };
      return { code: 200, type: 'application/json', body: `${JSON.stringify(status)}\n` };
    }
  }
  return text(404, `not found: /healthz, /readyz, ${trusted ? '/status, ' : ''}/metrics`);
}

function verdict(problem: string | undefined): Reply {
  return problem === undefined ? text(200, 'ok') : text(503, problem);
}

function text(code: number, message: string): Reply {
  return { code, type: 'text/plain; charset=utf-8', body: `${message}\n` };
}

function send(response: ServerResponse, head: boolean, reply: Reply): void {
  response.writeHead(reply.code, {
    'content-type': reply.type,
    'content-length': Buffer.byteLength(reply.body),
  });
  response.end(head ? undefined : reply.body);
}
