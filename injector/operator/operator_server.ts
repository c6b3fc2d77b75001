/**
 * The port for users: HTTPS, behind the API server's service proxy. Each question carries a token that says who asks, and is answered with
 * what that user may see. Bounded in size, time and number. Fails closed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { SluiceError } from '../../common/errors.ts';
import { listenTcp, type TcpAddress } from '../../common/tcp_listen.ts';
import type { RateLimits } from '../../common/token_bucket.ts';
import {
  AddressRates,
  type DoorLimits,
  followCertificate,
  HttpProblem,
  putDoor,
  type ServingCertificate,
  short,
  TLS_FORM,
} from '../doors/index.ts';
import type { AskerPolicy } from './asker_policy.ts';
import type { Askers, AskerVerdict } from './askers.ts';
import { cutFlow, cutQuestion } from './cut.ts';
import type { FlowCollector } from './flow_collector.ts';
import type { FlowRights } from './flow_rights.ts';
import { type FollowTimes, sendFollowed } from './follow.ts';
import { readQuestion, tokenOf } from './question.ts';
import { sendAnswer } from './send.ts';
import { UserPlaces } from './user_places.ts';
import { visibleTo } from './visible.ts';

/** A request that is not complete after this long is dropped, ms. */
const REQUEST_MS = 5_000;

/** Headers of a request, bytes: the token of a user with 500 groups is half of this. */
const MAX_HEADER_BYTES = 64 * 1024;

/** Connections: those of the API servers, which keep some for questions to come, and one for each stream. */
const DOOR_LIMITS: Omit<DoorLimits, 'stepMs'> = {
  maxPerAddress: 128,
  maxTotal: 256,
  maxWaiting: 256,
  handshakes: { burst: 64, perSecond: 25 },
};

/** Questions and streams at once, and questions in the long run. A dashboard has a stream, and asks some times a minute. */
const QUESTIONS = { perUser: 4, total: 32 } as const;
const STREAMS = { perUser: 8, total: 64 } as const;
const RATE: RateLimits = { burst: 40, perSecond: 5 };

/** What users are answered from. */
export interface OperatorParts {
  /** Absent: this injector collects no flows. */
  readonly collector: () => FlowCollector | undefined;
  readonly askers: Pick<Askers, 'authenticate'>;
  readonly policy: Pick<AskerPolicy, 'problemOf'>;
  readonly rights: Pick<FlowRights, 'may'>;
  /** The namespaces that there are. */
  readonly namespaces: () => Iterable<string>;
  readonly certificate: ServingCertificate;
  readonly log: Logger;
}

/** Where it listens. Tests shorten the times. */
export interface OperatorOptions extends TcpAddress {
  readonly requestMs?: number;
  readonly followTimes?: FollowTimes;
}

/** A listening server. */
export interface OperatorServer {
  readonly port: number;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/** What all requests share. */
interface Answering extends OperatorParts {
  readonly questions: UserPlaces;
  readonly streams: UserPlaces;
  readonly rates: AddressRates;
  readonly closing: AbortSignal;
  readonly followTimes?: FollowTimes;
}

/**
 * Serves `POST /observe`: a FlowQuestion, and the ObservedAnswer; with `?follow=1` lines of ObservedFlow.
 * @throws SluiceError `LISTEN_ADDRESS_UNUSABLE`
 */
export async function startOperatorServer(
  parts: OperatorParts,
  options: OperatorOptions,
): Promise<OperatorServer> {
  const { certificate, log } = parts;
  const stepMs = options.requestMs ?? REQUEST_MS;
  const closing = new AbortController();
  /** By connection the answer to its last request, given or not. */
  const answers = new WeakMap<Socket, ServerResponse>();
  const answering: Answering = {
    ...parts,
    questions: new UserPlaces(QUESTIONS),
    streams: new UserPlaces(STREAMS),
    rates: new AddressRates(RATE),
    closing: closing.signal,
    ...(options.followTimes === undefined ? {} : { followTimes: options.followTimes }),
  };
  const server = createServer(
    {
      ...certificate.current,
      ...TLS_FORM,
      maxHeaderSize: MAX_HEADER_BYTES,
      handshakeTimeout: stepMs,
      headersTimeout: stepMs,
      requestTimeout: stepMs,
      connectionsCheckingInterval: stepMs / 5,
    },
    (request, response) => {
      // An API server asks again only when it has the answer.
      if (answers.get(request.socket)?.writableEnded === false) return void request.socket.destroy();
      answers.set(request.socket, response);
      const place = door.placeOf(request.socket);
      answer(answering, request, response, () => place?.settle())
        .catch((error: unknown) => fail(response, error, log))
        .finally(() => place?.settle(false));
    },
  );
  const door = putDoor(server, { ...DOOR_LIMITS, stepMs }, () =>
    log.debug('a connection to the port for users made room for another'),
  );
  followCertificate(server, certificate);
  server.on('tlsClientError', (err, socket) => {
    log.debug({ err, peer: socket.remoteAddress }, 'TLS handshake with the port for users failed');
    socket.destroy();
  });
  const port = await listenTcp(server, options);
  server.on('error', (err) => log.error({ err }, 'cannot accept connections of users'));
  log.info({ port }, 'serving users');
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        closing.abort();
        server.close(() => resolve());
        door.closeAll();
      }),
  };
}

async function answer(
  parts: Answering,
  request: IncomingMessage,
  response: ServerResponse,
  settle: () => void,
): Promise<void> {
  const { asker, endsMs } = await authenticated(parts, tokenOf(request));
  settle();
  const user = asker.username;
  if (!parts.rates.take(user, performance.now()))
    throw new HttpProblem(429, 'too many questions of this user: try again in a moment');
  const { question, follow } = await readQuestion(request);
  const places = follow ? parts.streams : parts.questions;
  const leave = places.take(user);
  if (leave === undefined) throw new HttpProblem(429, 'too many questions at once: try again in a moment');
  try {
    const verb = follow ? 'watch' : 'list';
    const look = () => visibleTo(asker, verb, question, parts.rights, parts.namespaces());
    const visible = await look();
    const collector = parts.collector();
    if (collector === undefined) throw new HttpProblem(501, 'this injector collects no flows');
    parts.log.debug({ user: short(user), follow }, 'a user asks about flows');
    if (follow)
      return await sendFollowed(
        response,
        { question, visible, look, endsMs },
        collector,
        parts.closing,
        parts.followTimes,
      );
    const found = await collector.ask(cutQuestion(question, visible));
    await sendAnswer(response, found, (flow) => cutFlow(flow, question, visible));
  } finally {
    leave();
  }
}

/** @throws HttpProblem 401; SluiceError `TOKEN_UNCHECKED` */
async function authenticated(
  { askers, policy }: Answering,
  token: string,
): Promise<Extract<AskerVerdict, { verdict: 'asker' }>> {
  const verdict = await askers.authenticate(token);
  if (verdict.verdict === 'refused') throw new HttpProblem(401, verdict.message);
  const problem = await policy.problemOf(verdict.issuedMs);
  if (problem !== undefined) throw new HttpProblem(401, problem);
  return verdict;
}

function fail(response: ServerResponse, error: unknown, log: Logger): void {
  const { code, message } = replyTo(error);
  if (code === 500) log.error({ err: error }, 'a question about flows failed');
  else log.debug({ err: error }, 'a question about flows was refused');
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(code, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(message),
    connection: 'close', // what is left of the request is not waited for
  });
  response.end(message);
}

function replyTo(error: unknown): { code: number; message: string } {
  if (error instanceof HttpProblem) return error;
  if (error instanceof SluiceError && ['TOKEN_UNCHECKED', 'RIGHTS_UNCHECKED'].includes(error.code))
    return { code: 503, message: error.message };
  return { code: 500, message: 'internal error' };
}
