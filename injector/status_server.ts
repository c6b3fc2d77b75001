/** Health, status and metrics of the injector: HTTP, on a unix socket of mode 0600, or on a port of a pod. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { messageOf } from '../common/errno.ts';
import { listenTcp, type TcpAddress } from '../common/tcp_listen.ts';
import type { RateLimits } from '../common/token_bucket.ts';
import { type FlowQuestion, flowQuestion } from '../flows/index.ts';
import { socketAddress } from '../policy/index.ts';
import { AddressRates, ConnectionPlaces, listenUnix, type PlaceLimits } from './doors/index.ts';
import type { InjectorMetrics } from './metrics.ts';
import { answerObserve, type Observer } from './observe_page.ts';
import type { ClusterSource } from './source.ts';
import type { TableServer } from './tables/index.ts';

/** A request that is not complete after this long is dropped, ms. */
const REQUEST_TIMEOUT_MS = 5_000;

/** An answer that has not been read after this long is dropped, ms; counted from the connection's begin. */
const CONNECTION_MS = 10_000;

/** A page at a port is made once in this time at most, ms, for all who ask: it goes through all pods. */
const PAGE_MS = 1_000;

/** Connections at a port. Each has one request: kubelets and scrapers ask every few seconds. */
const PLACES: PlaceLimits = { maxPerAddress: 8, maxTotal: 64 };
const CONNECTIONS: RateLimits = { burst: 100, perSecond: 25 };

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
  /** What this replica's sidecars enforce, as JSON, or what has changed in it since; absent where nobody asks. */
  readonly enforcing?: (since: Since | undefined) => unknown;
  /** How many sidecars this replica carries, as JSON; absent where nobody asks. */
  readonly sessions?: () => unknown;
  /** What this replica has observed, as JSON; absent where nobody asks. */
  readonly flows?: (question: FlowQuestion) => Promise<unknown> | undefined;
  /** Canonical addresses of the injector's replicas: at a port nobody else gets `enforcing`, `sessions` and `flows`. */
  readonly replicas?: () => readonly string[];
  /** Pods that should have a sidecar and have none; absent where nobody looks. */
  readonly uninjected?: () => readonly string[] | undefined;
  /** Answers questions about flows; absent while nobody collects them. */
  readonly observer?: () => Observer | undefined;
  /** Why the injector should be started again; undefined: it is well. */
  readonly unhealthy: () => string | undefined;
  /** Why the injector cannot do its work yet; undefined: it can. */
  readonly unready: () => string | undefined;
}

/** The last change that a replica knows of, and in which run of this one. */
interface Since {
  readonly run: string;
  readonly at: number;
}

/** Where to listen. Anyone who reaches the pod may ask at a port: it shows health and metrics. */
export type StatusAddress = { readonly path: string } | TcpAddress;

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly body: Buffer;
}

/** What is the same for all requests. */
interface Answering extends StatusParts {
  /** Who asks may open the socket, which its mode says. */
  readonly trusted: boolean;
  readonly metricsPage: () => Promise<Reply>;
  readonly enforcingPage: (since: Since | undefined) => Promise<Reply | undefined>;
}

/**
 * Serves `GET /healthz`, `/readyz`, `/metrics`, in a cluster `/enforcing`, `/flows` and `/sessions`, and on a unix socket `/status` and
 * `POST /observe`.
 * `/status?refresh=1` first takes in all that was written to the source before the request. At a port pages are up to a second
 * old, and connections bounded in number, rate and time.
 * @throws SluiceError as `listenUnix` does; `LISTEN_ADDRESS_UNUSABLE`
 */
export async function startStatusServer(
  parts: StatusParts,
  address: StatusAddress,
  log: Logger,
): Promise<StatusServer> {
  const trusted = 'path' in address;
  const metricsPage = () => metricsOf(parts);
  const enforcingPage = async (since: Since | undefined) => pageOf(parts.enforcing?.(since));
  const answering: Answering = {
    ...parts,
    trusted,
    metricsPage: trusted ? metricsPage : cached(metricsPage),
    enforcingPage: trusted ? enforcingPage : cached(enforcingPage),
  };
  const asked = new WeakSet<Socket>();
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    if (!trusted) {
      if (asked.has(request.socket)) return void request.socket.destroy(); // it did not wait for the answer
      asked.add(request.socket);
      response.setHeader('connection', 'close');
    }
    const observed = trusted ? observeOf(parts, request) : undefined;
    if (observed !== undefined)
      return void answerObserve(observed.observer, request, response, observed.follows);
    answer(answering, request)
      .catch((err: unknown): Reply => {
        log.error({ err }, 'status request failed');
        return text(500, 'internal error');
      })
      .then((reply) => send(response, request.method === 'HEAD', reply));
  });
  if (trusted) await listenUnix(server, address.path);
  else {
    boundConnections(server);
    await listenTcp(server, address);
  }
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

/** Anybody can connect: who asks for much, or does not read, is cut. */
function boundConnections(server: Server): void {
  const places = new ConnectionPlaces(PLACES);
  const rates = new AddressRates(CONNECTIONS);
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const place = rates.take(address, performance.now())
      ? places.take(address, () => socket.destroy())
      : undefined;
    if (place === undefined) return void socket.destroy();
    const late = setTimeout(() => socket.destroy(), CONNECTION_MS);
    socket.once('close', () => {
      clearTimeout(late);
      place.leave();
    });
  });
}

/** Makes a page when it is asked for, and again when it is asked for later than `PAGE_MS` after, or asked for otherwise. */
function cached<T, Asked extends readonly unknown[]>(
  make: (...asked: Asked) => Promise<T>,
): (...asked: Asked) => Promise<T> {
  let page: Promise<T> | undefined;
  let madeMs = Number.NEGATIVE_INFINITY;
  let madeFor: string | undefined;
  return (...asked) => {
    const text = JSON.stringify(asked);
    if (page === undefined || text !== madeFor || performance.now() - madeMs >= PAGE_MS) {
      madeMs = performance.now();
      madeFor = text;
      page = make(...asked);
    }
    return page;
  };
}

/** Who answers a question about flows, where a request is one. */
function observeOf(
  { observer }: StatusParts,
  { method, url }: IncomingMessage,
): { readonly observer: Observer; readonly follows: boolean } | undefined {
  const asked = method === 'POST' ? URL.parse(url ?? '/', 'http://injector') : null;
  const one = asked?.pathname === '/observe' ? observer?.() : undefined;
  return one && { observer: one, follows: asked?.searchParams.get('follow') === '1' };
}

async function metricsOf({ metrics: { registry } }: StatusParts): Promise<Reply> {
  return { code: 200, type: registry.contentType, body: Buffer.from(await registry.metrics()) };
}

function pageOf(counts: unknown): Reply | undefined {
  return counts === undefined ? undefined : json(counts);
}

async function answer(parts: Answering, request: IncomingMessage): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET');
  const url = URL.parse(request.url ?? '/', 'http://injector');
  if (url === null) return text(400, 'not a URL');
  switch (url.pathname) {
    case '/healthz':
      return verdict(parts.unhealthy());
    case '/readyz':
      return verdict(parts.unready());
    case '/metrics':
      return parts.metricsPage();
    case '/enforcing':
    case '/flows':
    case '/sessions': {
      if (!parts.trusted && !isReplica(parts, request))
        return text(403, 'only for other replicas of the injector, at the addresses of its Service');
      // Sessions are counted when they are asked for: who moves is decided by it, and few may ask.
      const page = await replicaPage(parts, url);
      if (page === undefined) break;
      return page;
    }
    case '/status': {
      if (!parts.trusted) break;
      const tables = parts.tables();
      if (tables === undefined) return verdict(parts.unready() ?? 'starting');
      if (url.searchParams.has('refresh')) await parts.source.refresh();
      return json({ ...tables.status(), uninjected: parts.uninjected?.() });
    }
    default:
      break;
  }
  return text(404, `not found: /healthz, /readyz, ${parts.trusted ? '/status, ' : ''}/metrics`);
}

/** What a replica is told. */
async function replicaPage(parts: Answering, { pathname, searchParams }: URL): Promise<Reply | undefined> {
  if (pathname === '/sessions') return pageOf(parts.sessions?.());
  if (pathname === '/enforcing') return parts.enforcingPage(sinceOf(searchParams));
  let question: FlowQuestion;
  try {
    question = flowQuestion.readJson(
      searchParams.get('question') ?? '',
      'question',
      (problem) => new Error(problem),
    );
  } catch (error) {
    return text(400, messageOf(error));
  }
  return pageOf(await parts.flows?.(question));
}

/** Of a query `run=RUN&since=NUMBER`; undefined: all is asked for. */
function sinceOf(asked: URLSearchParams): Since | undefined {
  const [run, since] = [asked.get('run'), asked.get('since')];
  if (run === null || since === null) return undefined;
  const at = Number(since);
  return { run, at: Number.isSafeInteger(at) && at > 0 ? at : 0 };
}

/** A source address is a claim; one that gets the answers of a TCP connection can be taken at its word here. */
function isReplica({ replicas }: StatusParts, { socket }: IncomingMessage): boolean {
  return replicas?.().includes(socketAddress(socket.remoteAddress ?? '')) ?? false;
}

function verdict(problem: string | undefined): Reply {
  return problem === undefined ? text(200, 'ok') : text(503, problem);
}

function text(code: number, message: string): Reply {
  return { code, type: 'text/plain; charset=utf-8', body: Buffer.from(`${message}\n`) };
}

function json(value: unknown): Reply {
  return { code: 200, type: 'application/json', body: Buffer.from(`${JSON.stringify(value)}\n`) };
}

function send(response: ServerResponse, head: boolean, reply: Reply): void {
  if (response.destroyed) return;
  response.writeHead(reply.code, {
    'content-type': reply.type,
    'content-length': reply.body.length,
  });
  response.end(head ? undefined : reply.body);
}
