/**
 * The admin port: health and metrics for everybody, inspection (/connections, /table, /flows) from inside the pod
 * only. It bypasses the redirect, so it is reachable whatever policy says.
 */
import http from 'node:http';
import { networkInterfaces } from 'node:os';
import { socketAddress } from '../policy/index.ts';

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

/** Whole admin requests end within this; it is checked every `CHECK_INTERVAL_MS`. */
const REQUEST_TIMEOUT_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;

/** Connections at once, from everybody and from one address; more are closed. The pod itself and its node always get in. */
const MAX_OUTSIDERS = 32;
const MAX_PER_OUTSIDER = 8;

const PAGES = ['/healthz', '/readyz', '/metrics', '/connections', '/table', '/flows'];

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Serves on `port`, all addresses. Rejects when the port cannot be had.
 * @param exempt addresses that always get in, the pod's own node: its probes must not starve
 */
export async function serveAdmin(
  port: number,
  exempt: readonly string[],
  pages: AdminPages,
): Promise<http.Server> {
  const server = http.createServer(
    { connectionsCheckingInterval: CHECK_INTERVAL_MS },
    (request, response) => {
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
    },
  );
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  limitOutsiders(server, exempt);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => {}); // accepting failed for want of descriptors: the caller tries again
  return server;
}

/** Keeps outsiders, denied peers among them, from taking all connections. */
function limitOutsiders(server: http.Server, exempt: readonly string[]): void {
  const outsiders = new Map<string, number>();
  let total = 0;
  server.on('connection', (socket) => {
    const address = socketAddress(socket.remoteAddress ?? '');
    if (exempt.includes(address) || isInside(address)) return;
    const held = outsiders.get(address) ?? 0;
    if (total >= MAX_OUTSIDERS || held >= MAX_PER_OUTSIDER) {
      socket.destroy();
      return;
    }
    total += 1;
    outsiders.set(address, held + 1);
    socket.once('close', () => {
      total -= 1;
      const left = (outsiders.get(address) ?? 1) - 1;
      if (left > 0) outsiders.set(address, left);
      else outsiders.delete(address);
    });
  });
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
  const address = socketAddress(remoteAddress);
  if (address.startsWith('127.') || address === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address));
}
