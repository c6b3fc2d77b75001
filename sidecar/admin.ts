/**
 * The admin port: health and metrics for everybody, inspection (/connections, /table, /flows) from inside the pod
 * only. It bypasses the redirect, so it is reachable whatever policy says.
 */
import http from 'node:http';
import { networkInterfaces } from 'node:os';
import { canonicalAddress } from '../policy/index.ts';

/** What the pages show. Read when asked. */
export interface AdminPages {
  /** Why the pod is not ready; empty when it is. */
  notReady(): readonly string[];
  /** Detail of /readyz. */
  status(): object;
  connections(): unknown;
  table(): unknown;
  flows(): unknown;
  metrics(): Promise<string>;
  metricsType: string;
}

/** Whole admin requests end within this; a slow client holds nothing up. */
const REQUEST_TIMEOUT_MS = 5_000;
/** Health checks, a scraper and a person at once; more are refused. */
const MAX_CONNECTIONS = 32;

const PAGES = ['/healthz', '/readyz', '/metrics', '/connections', '/table', '/flows'];

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Serves on `port`, all addresses. Rejects when the port cannot be had. */
export async function serveAdmin(port: number, pages: AdminPages): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path === '/metrics' && request.method === 'GET') {
      pages.metrics().then(
        (text) => response.writeHead(200, { 'content-type': pages.metricsType }).end(text),
        (error: Error) => response.writeHead(500).end(`${error.message}\n`),
      );
      return;
    }
    const { status, body } = answer(
      request.method ?? 'GET',
      path,
      isInside(request.socket.remoteAddress),
      pages,
    );
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve());
  });
  return server;
}

function answer(method: string, path: string, inside: boolean, pages: AdminPages): Answer {
  if (method !== 'GET') return { status: 405, body: { error: 'only GET is served here' } };
  switch (path) {
    case '/healthz':
      return { status: 200, body: { status: 'ok' } };
    case '/readyz': {
      const problems = pages.notReady();
      const ready = problems.length === 0;
      return { status: ready ? 200 : 503, body: { ready, problems, ...pages.status() } };
    }
  }
  if (!PAGES.includes(path))
    return { status: 404, body: { error: `no such page; there are ${PAGES.join(', ')}` } };
  if (!inside) return { status: 403, body: { error: `${path} is served to this pod itself only` } };
  switch (path) {
    case '/connections':
      return { status: 200, body: pages.connections() };
    case '/table':
      return { status: 200, body: pages.table() ?? null };
    default:
      return { status: 200, body: pages.flows() };
  }
}

/** Loopback, or one of the pod's own addresses, which nobody else can answer from. */
function isInside(remoteAddress: string | undefined): boolean {
  if (remoteAddress === undefined) return false;
  const address = canonicalAddress(remoteAddress);
  if (address.startsWith('127.') || address === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address));
}
