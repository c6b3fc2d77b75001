/** Health, status and metrics of the injector: HTTP on a unix socket of mode 0600. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
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
  readonly tables: TableServer;
  readonly source: ClusterSource;
  readonly metrics: InjectorMetrics;
}

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Serves `GET /healthz`, `/metrics` and `/status`. `/status?refresh=1` first takes in all that was written to the
 * source before the request.
 * @throws SluiceError as `listenUnix` does.
 */
export async function startStatusServer(
  parts: StatusParts,
  path: string,
  log: Logger,
): Promise<StatusServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(parts, request)
      .catch((err: unknown): Reply => {
        log.error({ err }, 'status request failed');
        return text(500, 'internal error');
      })
      .then((reply) => send(response, request.method === 'HEAD', reply));
  });
  await listenUnix(server, path);
  server.on('error', (err) => log.error({ err }, 'cannot accept status connections'));
  log.info({ path }, 'serving status');
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(parts: StatusParts, request: IncomingMessage): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET');
  const url = new URL(request.url ?? '/', 'http://injector');
  switch (url.pathname) {
    case '/healthz':
      return text(200, 'ok');
    case '/status': {
      if (url.searchParams.has('refresh')) await parts.source.refresh();
      return { code: 200, type: 'application/json', body: `${JSON.stringify(parts.tables.status())}\n` };
    }
    case '/metrics': {
      const { registry } = parts.metrics;
      return { code: 200, type: registry.contentType, body: await registry.metrics() };
    }
    default:
      return text(404, 'not found: /healthz, /status, /metrics');
  }
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
