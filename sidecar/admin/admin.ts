/**
 * The pages of the admin port: health and metrics for everybody, inspection (/connections, /table, /flows) from inside the pod
 * only. The port bypasses the redirect, so that it is reachable under every policy.
 */
import type { Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { listenTcp } from '../../common/tcp_listen.ts';
import { isLoopback, socketAddress } from '../../policy/index.ts';
import { oneShotServer } from './one_shot_http.ts';

/** What the pages show. Read when asked. */
export interface AdminPages {
  /** Why the pod is not ready; empty when it is. */
  notReady(): readonly string[];
  /** Detail of /readyz. */
  status(): object;
  connections(): Promise<unknown>;
  table(): unknown;
  flows(): unknown;
  metrics(): Promise<string>;
  metricsType: string;
}

/** Connections at once, from everybody and from one address; more are closed. The pod's own node always gets in. */
const MAX_OUTSIDERS = 32;
const MAX_PER_OUTSIDER = 8;

/** The same for the pod itself: an app must not fill the sidecar's memory with them. */
const MAX_INSIDERS = 64;

/** Metrics are made at most this often, however many ask. */
const METRICS_CACHE_MS = 200;

/** A pod's addresses do not change; they may come a moment after the sidecar. */
const OWN_ADDRESSES_CACHE_MS = 1_000;

const PAGES = ['/healthz', '/readyz', '/metrics', '/connections', '/table', '/flows'];

interface Page {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Servers of the pages, one for each listener; they share what they keep of clients.
 * @param exempt addresses that always get in, the pod's own node: its probes must not starve
 * @returns makes one, not listening yet
 */
export function adminServers(exempt: readonly string[], pages: AdminPages): () => Server {
  const metrics = cached(METRICS_CACHE_MS, () => pages.metrics());
  const clients = new Clients(exempt);
  return () =>
    oneShotServer(
      (address) => clients.admit(socketAddress(address)),
      async ({ method, path, remoteAddress }) => {
        if (path === '/metrics' && method === 'GET') {
          return { status: 200, type: pages.metricsType, body: await metrics() };
        }
        const { status, body } = page(method, path, isInside(remoteAddress), pages);
        return { status, type: 'application/json', body: `${JSON.stringify(await body)}\n` };
      },
    );
}

/**
 * Serves the pages on `port`, all addresses, by an ordinary socket; the sidecar has `admin_port.ts`.
 * @throws SluiceError `LISTEN_ADDRESS_UNUSABLE`
 */
export async function serveAdmin(
  port: number,
  exempt: readonly string[],
  pages: AdminPages,
): Promise<Server> {
  const server = adminServers(exempt, pages)();
  await listenTcp(server, { port, setting: 'SLUICE_ADMIN_PORT' });
  return server;
}

/** Keeps peers, denied ones among them, and apps of the pod from taking all connections. */
class Clients {
  readonly #exempt: ReadonlySet<string>;
  readonly #held = new Map<string, number>();
  #outsiders = 0;
  #insiders = 0;

  constructor(exempt: readonly string[]) {
    this.#exempt = new Set(exempt);
  }

  /** @param address canonical */
  admit(address: string): { left(): void } | undefined {
    if (this.#exempt.has(address)) return { left: () => undefined };
    if (isInside(address)) {
      if (this.#insiders >= MAX_INSIDERS) return undefined;
      this.#insiders += 1;
      return {
        left: () => {
          this.#insiders -= 1;
        },
      };
    }
    const held = this.#held.get(address) ?? 0;
    if (this.#outsiders >= MAX_OUTSIDERS || held >= MAX_PER_OUTSIDER) return undefined;
    this.#count(address, 1);
    return { left: () => this.#count(address, -1) };
  }

  #count(address: string, change: 1 | -1): void {
    this.#outsiders += change;
    const held = (this.#held.get(address) ?? 0) + change;
    if (held > 0) this.#held.set(address, held);
    else this.#held.delete(address);
  }
}

function page(method: string, path: string, inside: boolean, pages: AdminPages): Page {
  if (method !== 'GET') return { status: 405, body: { error: 'only GET is served here' } };
  switch (path) {
    case '/healthz':
      return { status: 200, body: { status: 'ok' } };
    case '/readyz': {
      const problems = pages.notReady();
      const ready = problems.length === 0;
      return { status: ready ? 200 : 503, body: { ready, problems, ...pages.status() } };
    }
    default:
      break;
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
function isInside(remoteAddress: string): boolean {
  const address = socketAddress(remoteAddress);
  return isLoopback(address) || ownAddresses().has(address);
}

const ownAddresses = cached(
  OWN_ADDRESSES_CACHE_MS,
  () =>
    new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address))),
);

/** Asks `make` again only when its last answer is older than `maxAgeMs`. */
function cached<T>(maxAgeMs: number, make: () => T): () => T {
  let madeAtMs = Number.NEGATIVE_INFINITY;
  let answer: T | undefined;
  return () => {
    const now = performance.now();
    if (answer === undefined || now - madeAtMs > maxAgeMs) {
      madeAtMs = now;
      answer = make();
    }
    return answer;
  };
}
