/**
 * Requests to the API server, as JSON. The library's own calls make objects of each answer, and its watch passes over
 * what it cannot read; here the bytes arrive as they are. Server, credentials and trust come from the library's
 * KubeConfig, read for each request: a token file is read again when it changes.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { failureOf } from './api_failure.ts';
import { TurnSlice } from './turn_slice.ts';

/** The server has to begin its answer within this, and a list may not pause for longer, ms. */
const ANSWER_TIMEOUT_MS = 30_000;

/** A connection that is idle this long is probed by the kernel, so that a vanished server is noticed, ms. */
const KEEP_ALIVE_MS = 15_000;

/** What a good answer has. */
const OK = 200;
const CREATED = 201;

/** No failure's text is longer, bytes. */
const MAX_FAILURE_BYTES = 64 * 1024;

/** So much of an answer that is no Status stands for its reason, characters. */
const MAX_SHOWN = 200;

/** Parameters of a request. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What is sent with a request. */
export interface Sent {
  readonly body: unknown;
  /** Beside those that every request has. */
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiClient {
  /** Shared by all who read what this client brings. */
  readonly slice: TurnSlice;
  readonly #config: KubeConfig;
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS });

  readonly #answerTimeoutMs: number;

  /**
   * @param answerTimeoutMs default 30 s; tests shorten it
   * @param slice tests shorten it
   */
  constructor(config: KubeConfig, answerTimeoutMs = ANSWER_TIMEOUT_MS, slice = new TurnSlice()) {
    this.#config = config;
    this.slice = slice;
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /**
   * Asks, and returns once the answer has begun.
   * @param path from the root of the API, such as `/api/v1/pods`
   * @throws ApiFailure for any answer but 200; Error of the connection, or of `signal`
   */
  get(path: string, query: Query, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#send('GET', path, query, signal);
  }

  /**
   * Sends JSON, and returns once the answer has begun.
   * @throws as `get`, where the answer is neither 200 nor 201
   */
  post(path: string, sent: Sent, query: Query, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#send('POST', path, query, signal, sent);
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    query: Query,
    signal: AbortSignal,
    sent?: Sent,
  ): Promise<IncomingMessage> {
    const server = this.#config.getCurrentCluster()?.server ?? '';
    const url = new URL(`${server.replace(/\/$/, '')}${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const body = sent === undefined ? undefined : JSON.stringify(sent.body);
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { ...options.headers, ...type, ...sent?.headers };
    const asked = request(url, { ...options, headers, agent: this.#agent, method, signal });
    asked.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    const timer = setTimeout(
      () => asked.destroy(new Error(`no answer within ${this.#answerTimeoutMs} ms`)),
      this.#answerTimeoutMs,
    );
    asked.end(body);
    try {
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      asked.on('error', () => undefined); // from here on the answer itself reports it
      if (response.statusCode !== OK && !(method === 'POST' && response.statusCode === CREATED))
        throw await readFailure(response);
      return response;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Asks, and gives the answer as it comes. It is read no faster than its chunks are asked for.
   * @throws as `get`, and Error where the answer stops before its end
   */
  async *chunks(path: string, query: Query, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const response = await this.get(path, query, signal);
    const silent = (): unknown =>
      response.destroy(new Error(`the answer stopped for ${this.#answerTimeoutMs} ms`));
    const timer = setTimeout(silent, this.#answerTimeoutMs);
    try {
      for await (const chunk of response) {
        timer.refresh();
        yield chunk as Buffer;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#agent.destroy();
  }
}

async function readFailure(response: IncomingMessage): Promise<Error> {
  const code = response.statusCode ?? 0;
  const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > MAX_FAILURE_BYTES) break;
  }
  const isStatus = text.startsWith('{');
  const body = isStatus ? text : { message: text.slice(0, MAX_SHOWN) || response.statusMessage };
  return failureOf(code, body, Number.isNaN(seconds) ? undefined : seconds);
}
