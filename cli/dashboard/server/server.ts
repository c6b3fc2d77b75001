/** The server of the page: on 127.0.0.1 only, for the user's own browser. It reads, and writes nothing anywhere. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SluiceError } from '../../../common/errors.ts';
import { part, text } from '../../../common/shape.ts';
import { listenTcp } from '../../../common/tcp_listen.ts';
import {
  type FlowQuestion,
  MAX_EDGES,
  type ObservedAnswer,
  type ObservedFlow,
} from '../../../flows/index.ts';
import type { DashboardFacts } from '../form.ts';
import type { PageFile } from '../page_file.ts';
import { answerText } from './answer_text.ts';
import { GUARDS, type Refusal, refusalOf } from './doors.ts';
import { streamFlows } from './live_stream.ts';
import { Sessions } from './sessions.ts';

/** Connections at a time: a few tabs with a few requests each. */
const MAX_CONNECTIONS = 64;

/** Live streams at a time, one a tab. */
const MAX_STREAMS = 8;

/** A request that is not complete after this long is dropped, ms. */
const REQUEST_TIMEOUT_MS = 10_000;

/** The only body that is read holds a token. */
const MAX_BODY_BYTES = 1_024;

/** The longest span that can be asked about, s: ten years. */
const MAX_SPAN_SECONDS = 315_360_000;

/** What the server needs of a source of flows. */
export interface ShownFlows {
  ask(question: FlowQuestion): Promise<ObservedAnswer>;
  follow(question: FlowQuestion, signal: AbortSignal): AsyncIterable<ObservedFlow>;
}

/** What the server shows. */
export interface Shown {
  readonly flows: ShownFlows;
  /** Made again for each question, or as fresh as it has to be. */
  facts(): Promise<DashboardFacts>;
  /** By path. */
  readonly page: ReadonlyMap<string, PageFile>;
  /** What all questions have in common, such as namespaces. */
  readonly question: Pick<FlowQuestion, 'namespaces'>;
}

/** A listening server. */
export interface DashboardServer {
  readonly port: number;
  /** An address for the browser, with a token that works once. */
  link(): string;
  close(): Promise<void>;
}

/** The form of what the page sends to get a session. */
const tokenBody = part({ token: text() });

/**
 * @param port 0: any that is free
 * @throws SluiceError `LISTEN_ADDRESS_UNUSABLE`
 */
export async function startDashboardServer(shown: Shown, port: number): Promise<DashboardServer> {
  const sessions = new Sessions();
  const ended = new AbortController();
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  const room: Room = {
    ...shown,
    sessions,
    ended: ended.signal,
    streams: { count: 0 },
    port: () => portOf(server),
  };
  server.on('request', (request, response) => {
    handle(room, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, problemOf(error));
    });
  });
  await listenTcp(server, { host: '127.0.0.1', port });
  const listening = portOf(server);
  return {
    port: listening,
    link: () => `http://127.0.0.1:${listening}/#token=${sessions.newToken()}`,
    close: () =>
      new Promise((resolve) => {
        ended.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Room extends Shown {
  readonly sessions: Sessions;
  /** Aborted when the server closes. */
  readonly ended: AbortSignal;
  readonly streams: { count: number };
  readonly port: () => number;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function handle(room: Room, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(GUARDS))
    if (value !== undefined) response.setHeader(name, value);
  const refusal = refusalOf(request, room.port());
  if (refusal !== undefined) return refuse(response, refusal);
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname === '/api/session') return await openSession(room, request, response);
  if (request.method !== 'GET') return refuse(response, { status: 405, text: 'only GET' });
  const file = room.page.get(pathname);
  if (file !== undefined) {
    response.writeHead(200, { 'content-type': file.type, 'content-length': file.body.length });
    return void response.end(file.body);
  }
  const [, secret = ''] = /^Bearer ([\w-]+)$/.exec(request.headers.authorization ?? '') ?? [];
  if (!room.sessions.holds(secret)) return refuse(response, { status: 401, text: 'no session' });
  switch (pathname) {
    case '/api/facts':
      return json(response, [JSON.stringify(await room.facts())]);
    case '/api/flows':
      return await json(response, answerText(await room.flows.ask(questionOf(room, searchParams))));
    case '/api/live':
      return await live(room, response);
    default:
      return refuse(response, { status: 404, text: 'nothing is here' });
  }
}

/** @throws SluiceError `USAGE` */
function questionOf({ question }: Room, asked: URLSearchParams): FlowQuestion {
  const span = asked.get('span') ?? '';
  const until = Date.now();
  const seconds = span === 'all' ? until / 1000 : Number(span);
  if (!/^(all|\d{1,9})$/.test(span) || (span !== 'all' && seconds > MAX_SPAN_SECONDS))
    throw new SluiceError('USAGE', "span is a number of seconds, or 'all'");
  return { ...question, since: Math.max(0, Math.floor(until - seconds * 1000)), until, limit: MAX_EDGES };
}

async function live(room: Room, response: ServerResponse): Promise<void> {
  if (room.streams.count >= MAX_STREAMS)
    return refuse(response, { status: 503, text: `${MAX_STREAMS} pages are live: close one` });
  room.streams.count += 1;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, room.ended]);
  const now = Date.now();
  try {
    const question: FlowQuestion = { ...room.question, since: now, until: Number.MAX_SAFE_INTEGER };
    await streamFlows(room.flows.follow(question, signal), response, signal);
  } finally {
    room.streams.count -= 1;
  }
}

async function openSession(
  { sessions }: Room,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') return refuse(response, { status: 405, text: 'only POST' });
  const body = await bodyOf(request);
  if (body === undefined) return refuse(response, { status: 413, text: 'too long' });
  const refused = (problem: string) => new SluiceError('USAGE', problem);
  const session = sessions.exchange(tokenBody.readJson(body, 'body', refused).token);
  if (session === undefined)
    return refuse(response, { status: 401, text: 'this link has been used: links work once' });
  await json(response, [JSON.stringify({ session })]);
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function json(response: ServerResponse, pieces: Iterable<string>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  await pipeline(Readable.from(pieces), response);
}

function refuse(response: ServerResponse, { status, text: said }: Refusal): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    connection: 'close',
    ...(status === 405 ? { allow: said.slice('only '.length) } : {}),
  });
  response.end(JSON.stringify({ problem: said }));
}

function problemOf(error: unknown): Refusal {
  const isKnown = error instanceof SluiceError;
  return {
    status: isKnown && error.code === 'USAGE' ? 400 : 502,
    text: error instanceof Error ? error.message : String(error),
  };
}
