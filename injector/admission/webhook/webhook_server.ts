/**
 * The admission webhook: HTTPS, one path, bounded in size, time and number. Fails closed: an API server that gets no
 * good answer refuses the pod.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { listenTcp, type TcpAddress } from '../../../common/tcp_listen.ts';
import {
  ConnectionPlaces,
  type DoorLimits,
  followCertificate,
  HttpProblem,
  PacedQueue,
  type Place,
  putDoor,
  readBody,
  TLS_FORM,
} from '../../doors/index.ts';
import { reviewed, type WebhookParts } from './decision.ts';
import { refuseOddRequest } from './request.ts';

/** Largest request, bytes: API servers take objects of 3 MB, and send one at most. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

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
  maxWaiting: 512,
  handshakes: { burst: 128, perSecond: 50 },
};

/** What a review costs, ms, and each MiB of it, as far as JSON has bounded values in it. */
const REVIEW_MS = 0.5;
const MIB_MS = 8;
const MIB = 1024 * 1024;

/** Longest answer, characters. Who does not read it leaves it here; a patch for a thousand containers is a third of this. */
const MAX_ANSWER_LENGTH = 512 * 1024;

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
      // An API server asks again only when it has the answer. It may have it a moment before this side knows that it was written.
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

function send(response: ServerResponse, code: number, type: string, body: string): void {
  if (response.destroyed) return;
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
