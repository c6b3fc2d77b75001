/**
 * The admission webhook: HTTPS, one path, bounded in size, time and number. Fails closed: an API server that gets no
 * good answer refuses the pod.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { messageOf } from '../../../common/errno.ts';
import { listenTcp, type TcpAddress } from '../../../common/tcp_listen.ts';
import {
  ConnectionPlaces,
  type DoorLimits,
  followCertificate,
  PacedQueue,
  type Place,
  putDoor,
  type ServingCertificate,
  TLS_FORM,
} from '../../doors/index.ts';
import type { InjectorMetrics } from '../../metrics.ts';
import type { ClusterSource } from '../../source.ts';
import { isEnabled } from '../annotations/index.ts';
import type { InjectionConfig } from '../injection/index.ts';
import { podSecurityLevel } from '../privileges/index.ts';
import { hasMoreValues } from './json_size.ts';
import { type AdmissionAnswer, type AdmissionRequest, answerReview, parseReview, unable } from './review.ts';

/** The path that the webhook configuration names. */
export const WEBHOOK_PATH = '/inject';

/** Largest request, bytes: API servers take objects of 3 MB, and send one at most. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Values in one: JSON of many small ones takes a hundred times as long as its length says. A pod of 3 MB is long texts. */
const MAX_VALUES = 100_000;

/**
 * Short chunks of a body: each is as much work as a long one. API servers send long ones, but for the first few and the last.
 */
const SHORT_CHUNK_BYTES = 512;
const MAX_SHORT_CHUNKS = 64;

/** A request that is not complete after this long is dropped, ms: as long as the API server waits. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Requests at once, and bytes of bodies with them. API servers bound theirs; more is somebody else. */
const MAX_REQUESTS = 64;

/**
 * Connections at once: each API server keeps a few, and one for each pod that it is just being asked to create; several may come
 * from one address.
 */
const DOOR_LIMITS: Omit<DoorLimits, 'stepMs'> = {
  maxPerAddress: 128,
  maxTotal: 512,
  handshakes: { burst: 128, perSecond: 50 },
};

/** What a review costs, ms, and each MiB of it, as far as JSON has bounded values in it. */
const REVIEW_MS = 0.5;
const MIB_MS = 8;
const MIB = 1024 * 1024;

/** Texts of a request go into the log up to this length, characters: who asks decides how long they are. */
const MAX_LOGGED_LENGTH = 1_000;

/** Longest answer, characters. Who does not read it leaves it here; a patch for a thousand containers is a third of this. */
const MAX_ANSWER_LENGTH = 512 * 1024;

/** What the webhook decides on. */
export interface WebhookParts {
  readonly source: ClusterSource;
  /** Read at each request; undefined while sidecars have no address for the injector. */
  readonly config: () => InjectionConfig | undefined;
  readonly certificate: ServingCertificate;
  /** Puts into the namespace what its sidecars mount: the CA. Called for each pod that is injected in an enabled one; not for rehearsals. */
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

/** What bounds a request from its first line to its answer. */
interface Bounds {
  readonly maxBodyBytes: number;
  /** Places of the requests that are under way; of all addresses, as there may be one API server only. */
  readonly seats: ConnectionPlaces;
  /** Whose request is looked at next. */
  readonly reviews: PacedQueue;
  readonly placeOf: (socket: Socket) => Place | undefined;
  /** By connection the answer to its last request, given or not. */
  readonly answers: WeakMap<Socket, ServerResponse>;
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
    super(short(message));
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
  const reviews = new PacedQueue();
  const bounds: Bounds = {
    maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES,
    seats: new ConnectionPlaces({ maxPerAddress: maxRequests, maxTotal: maxRequests, sparesOwn: true }),
    reviews,
    placeOf: (socket) => door.placeOf(socket),
    answers: new WeakMap(),
  };
  const server = createServer(
    {
      ...certificate.current,
      ...TLS_FORM,
      handshakeTimeout: timeoutMs,
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      connectionsCheckingInterval: timeoutMs / 5,
    },
    (request, response) => {
      // No API server asks again before it is answered; it may when the answer has been written and is not yet known to be.
      if (bounds.answers.get(request.socket)?.writableEnded === false) return void request.socket.destroy();
      const peer = request.socket.remoteAddress; // once the connection has ended there is no socket
      answer(parts, request, response, bounds)
        .then((review) => send(response, 200, 'application/json', answerText(review)))
        .catch((error: unknown) => {
          metrics.admissions.inc({ outcome: 'error' });
          const known = error instanceof HttpProblem;
          const said = { peer, err: error };
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
  const door = putDoor(server, { ...DOOR_LIMITS, stepMs: timeoutMs }, () =>
    log.debug('a connection to the webhook made room for another'),
  );
  server.once('close', () => reviews.close());
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
        // Node stops looking for requests that are too slow once it closes; some have not had their handshake yet.
        const late = setTimeout(() => door.closeAll(), timeoutMs);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
}

/** The review that answers a request. Rejects with a `HttpProblem` where there is none. */
async function answer(
  parts: WebhookParts,
  request: IncomingMessage,
  response: ServerResponse,
  bounds: Bounds,
): Promise<unknown> {
  const { socket } = request;
  const address = socket.remoteAddress ?? '';
  const place = bounds.placeOf(socket);
  const gone = new AbortController();
  bounds.answers.set(socket, response);
  // An answer that has been taken holds nothing any more, though Node has not said so yet.
  const seat = bounds.seats.take(address, () => response.writableFinished || socket.destroy());
  response.once('close', () => {
    gone.abort();
    seat?.leave();
  });
  try {
    refuseOddRequest(request);
    if (seat === undefined) throw new HttpProblem(429, 'too many requests at once: try again');
    const body = await readBody(request, bounds.maxBodyBytes);
    seat.rise();
    await turn(bounds.reviews, address, body.length, gone.signal);
    seat.settle();
    place?.settle();
    return await reviewed(parts, body);
  } finally {
    // Until the answer has been read, which may be never.
    seat?.settle(false);
    place?.settle(false);
  }
}

function answerText(review: unknown): string {
  const text = JSON.stringify(review);
  if (text.length > MAX_ANSWER_LENGTH)
    throw new HttpProblem(400, 'the answer would be too long: no pod is like that');
  return text;
}

async function reviewed(parts: WebhookParts, body: Buffer): Promise<unknown> {
  const review = parseReview(parseJson(body));
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

/** Before anything of the body is read. */
function refuseOddRequest(request: IncomingMessage): void {
  const path = (request.url ?? '').split('?')[0];
  if (path !== WEBHOOK_PATH)
    throw new HttpProblem(404, `nothing is at ${path}: the webhook is at ${WEBHOOK_PATH}`);
  if (request.method !== 'POST') throw new HttpProblem(405, 'wants POST');
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    throw new HttpProblem(
      415,
      `content-type is '${request.headers['content-type'] ?? ''}': wants application/json`,
    );
}

/** Resolves when a body of this length may be looked at. Rejects when nobody waits for the answer any more. */
function turn(reviews: PacedQueue, address: string, bytes: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = reviews.add(address, REVIEW_MS + (MIB_MS * bytes) / MIB, resolve);
    const gone = (): void => {
      giveUp();
      reject(new HttpProblem(408, 'the connection has ended'));
    };
    if (signal.aborted) gone();
    else signal.addEventListener('abort', gone, { once: true });
  });
}

async function decide(parts: WebhookParts, request: AdmissionRequest): Promise<AdmissionAnswer> {
  const namespace = parts.source.cluster.namespaces.get(request.namespace);
  // A namespace that is too new to be known allows nothing.
  const level = podSecurityLevel(namespace?.labels ?? {});
  const decision = answerReview(request, namespace?.annotations ?? {}, parts.config(), level);
  const needsCa = decision.outcome === 'injected' || decision.outcome === 'unchanged';
  if (!needsCa || request.dryRun) return decision;
  // Anybody can ask, under names that he makes up: where sidecars are not known to be wanted, nothing is written. A namespace
  // that has just been made or enabled gets the CA once that is known.
  if (namespace === undefined || !isEnabled(namespace)) return decision;
  try {
    await parts.prepareNamespace(request.namespace);
    return decision;
  } catch (error) {
    return unable(request, `the namespace cannot be given the CA: ${messageOf(error)}`);
  }
}

function short(text: string): string {
  return text.length <= MAX_LOGGED_LENGTH ? text : `${text.slice(0, MAX_LOGGED_LENGTH)}…`;
}

/** One line and one count for each pod. */
function record({ metrics, log }: WebhookParts, request: AdmissionRequest, decision: AdmissionAnswer): void {
  const { outcome, message } = decision;
  metrics.admissions.inc({ outcome });
  const { namespace, name, uid } = request;
  const said = {
    namespace: short(namespace),
    pod: short(name),
    request: short(uid),
    outcome,
    ...(message === '' ? {} : { reason: short(message) }),
  };
  if (outcome === 'refused' || outcome === 'error' || outcome === 'opted-out')
    log.warn(said, 'pod not injected');
  else log.info(said, 'pod admitted');
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new HttpProblem(413, `the request is larger than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let short = 0;
  try {
    // Not destroyed where it is not read on: it is answered.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge();
      if (chunk.length < SHORT_CHUNK_BYTES) short += 1;
      if (short > MAX_SHORT_CHUNKS)
        throw new HttpProblem(
          400,
          `more than ${MAX_SHORT_CHUNKS} chunks of under ${SHORT_CHUNK_BYTES} bytes`,
        );
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof HttpProblem ? error : new HttpProblem(408, 'the request has not come whole');
  }
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  if (hasMoreValues(body, MAX_VALUES))
    throw new HttpProblem(413, `the request has more than ${MAX_VALUES} values: no pod has`);
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new HttpProblem(400, `the request is no JSON: ${messageOf(cause)}`);
  }
}

function send(response: ServerResponse, code: number, type: string, body: string): void {
  if (response.destroyed) return;
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
