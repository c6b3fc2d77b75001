/**
 * The admission webhook: HTTPS, one path, bounded in size, time and number. Fails closed: an API server that gets no
 * good answer refuses the pod.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { listenTcp, type TcpAddress } from '../../common/tcp_listen.ts';
import { ConnectionPlaces, type PlaceLimits } from '../connection_places.ts';
import type { InjectorMetrics } from '../metrics.ts';
import { followCertificate, type ServingCertificate, TLS_VERSION } from '../serving_certificate.ts';
import type { ClusterSource } from '../source.ts';
import { isEnabled } from './annotations.ts';
import type { InjectionConfig } from './injection_config.ts';
import { type AdmissionAnswer, type AdmissionRequest, answerReview, parseReview, unable } from './review.ts';

/** The path that the webhook configuration names. */
export const WEBHOOK_PATH = '/inject';

/** Largest request, bytes: API servers take objects of 3 MB, and send one at most. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** A request that is not complete after this long is dropped, ms: as long as the API server waits. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Requests at once, and bytes of bodies with them. API servers bound theirs; more is somebody else. */
const MAX_REQUESTS = 64;

/** Connections at once: each API server keeps a few, and one for each pod that it is just being asked to create. */
const CONNECTION_LIMITS: PlaceLimits = { maxPerAddress: 32, maxTotal: 256 };

/** What the webhook decides on. */
export interface WebhookParts {
  readonly source: ClusterSource;
  /** Read at each request; undefined while sidecars have no address for the injector. */
  readonly config: () => InjectionConfig | undefined;
  readonly certificate: ServingCertificate;
  /** Puts into the namespace what its sidecars mount: the CA. Called for each pod that is injected in an enabled or unknown one; not for rehearsals. */
  readonly prepareNamespace: (namespace: string) => Promise<void>;
  readonly metrics: InjectorMetrics;
  readonly log: Logger;
}

/** Where it listens. Tests lower the bounds. */
export interface WebhookOptions extends TcpAddress {
  readonly maxBodyBytes?: number;
  readonly maxRequests?: number;
  readonly requestTimeoutMs?: number;
}

/** A listening server. */
export interface WebhookServer {
  readonly port: number;
  /** Stops listening; what is under way is answered, for as long as a request may take. */
  close(): Promise<void>;
}

/** A request that is not answered with a review. */
class HttpProblem extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws SluiceError `LISTEN_ADDRESS_UNUSABLE` */
export async function startWebhookServer(
  parts: WebhookParts,
  options: WebhookOptions,
): Promise<WebhookServer> {
  const { certificate, log, metrics } = parts;
  const timeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const maxRequests = options.maxRequests ?? MAX_REQUESTS;
  let requests = 0;
  const server = createServer(
    {
      ...certificate.current,
      ...TLS_VERSION,
      handshakeTimeout: timeoutMs,
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      connectionsCheckingInterval: timeoutMs / 5,
    },
    (request, response) => {
      requests += 1;
      response.once('close', () => {
        requests -= 1;
      });
      answer(parts, request, requests > maxRequests, options.maxBodyBytes ?? MAX_BODY_BYTES)
        .then((review) => send(response, 200, 'application/json', JSON.stringify(review)))
        .catch((error: unknown) => {
          metrics.admissions.inc({ outcome: 'error' });
          const known = error instanceof HttpProblem;
          const said = { peer: request.socket.remoteAddress, err: error };
          if (known) log.warn(said, 'admission request refused');
          else log.error(said, 'admission request failed');
          // What is left of the request is not waited for.
          response.setHeader('connection', 'close');
          send(
            response,
            known ? error.code : 500,
            'text/plain; charset=utf-8',
            known ? error.message : 'internal error',
          );
        });
    },
  );
  const places = new ConnectionPlaces(CONNECTION_LIMITS);
  server.on('connection', (socket: Socket) => {
    const leave = places.take(socket.remoteAddress ?? '');
    if (leave === undefined) socket.destroy();
    else socket.once('close', leave);
  });
  followCertificate(server, certificate);
  server.on('tlsClientError', (err, socket) => {
    log.debug({ err, peer: socket.remoteAddress }, 'TLS handshake with the webhook failed');
    socket.destroy();
  });
  const port = await listenTcp(server, options);
  server.on('error', (err) => log.error({ err }, 'cannot accept admission connections'));
  log.info({ port }, 'serving admission');
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        // Node stops looking for requests that are too slow once it closes.
        const late = setTimeout(() => server.closeAllConnections(), timeoutMs);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function answer(
  parts: WebhookParts,
  request: IncomingMessage,
  tooMany: boolean,
  maxBodyBytes: number,
): Promise<unknown> {
  const path = (request.url ?? '').split('?')[0];
  if (path !== WEBHOOK_PATH)
    throw new HttpProblem(404, `nothing is at ${path}: the webhook is at ${WEBHOOK_PATH}`);
  if (request.method !== 'POST') throw new HttpProblem(405, 'wants POST');
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    throw new HttpProblem(
      415,
      `content-type is '${request.headers['content-type'] ?? ''}': wants application/json`,
    );
  if (tooMany) throw new HttpProblem(429, 'too many requests at once: try again');
  const review = parseReview(parseJson(await readBody(request, maxBodyBytes)));
  if (!review.ok)
    throw new HttpProblem(
      400,
      `no AdmissionReview v1 of a new pod: ${review.errors.map(({ path: field, message }) => `${field}: ${message}`).join('; ')}`,
    );
  const end = parts.metrics.admissionSeconds.startTimer();
  const decision = await decide(parts, review.object);
  end();
  record(parts, review.object, decision);
  return decision.review;
}

async function decide(parts: WebhookParts, request: AdmissionRequest): Promise<AdmissionAnswer> {
  const namespace = parts.source.cluster.namespaces.get(request.namespace);
  // A namespace that is too new to be known allows nothing.
  const decision = answerReview(request, namespace?.annotations ?? {}, parts.config());
  const needsCa = decision.outcome === 'injected' || decision.outcome === 'unchanged';
  if (!needsCa || request.dryRun) return decision;
  // Anybody can ask: where sidecars are not wanted, nothing is written. One that has just been enabled gets the CA once
  // that is known.
  if (namespace !== undefined && !isEnabled(namespace)) return decision;
  try {
    await parts.prepareNamespace(request.namespace);
    return decision;
  } catch (error) {
    return unable(request, `the namespace cannot be given the CA: ${(error as Error).message}`);
  }
}

/** One line and one count for each pod. */
function record({ metrics, log }: WebhookParts, request: AdmissionRequest, decision: AdmissionAnswer): void {
  const { outcome, message } = decision;
  metrics.admissions.inc({ outcome });
  const { namespace, name, uid } = request;
  const said = {
    namespace,
    pod: name,
    request: uid,
    outcome,
    ...(message === '' ? {} : { reason: message }),
  };
  if (outcome === 'refused' || outcome === 'error' || outcome === 'opted-out')
    log.warn(said, 'pod not injected');
  else log.info(said, 'pod admitted');
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLarge = () => new HttpProblem(413, `the request is larger than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpProblem(400, `the request is no JSON: ${(cause as Error).message}`);
  }
}

function send(response: ServerResponse, code: number, type: string, body: string): void {
  if (response.destroyed) return;
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
