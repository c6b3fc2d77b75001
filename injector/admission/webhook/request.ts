/** A request of an API server, read within bounds. Any client that reaches the port can send one. */
import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../../common/errno.ts';
import { HttpProblem } from './http_problem.ts';
import { hasMoreValues } from './json_size.ts';

/** The path that the webhook configuration names. */
export const WEBHOOK_PATH = '/inject';

/** Values in one: JSON of many small ones takes a hundred times as long as its length says. A pod of 3 MB is long texts. */
const MAX_VALUES = 100_000;

/**
 * Short chunks of a body: each is as much work as a long one. API servers send long ones, but for the first few and the last.
 */
const SHORT_CHUNK_BYTES = 512;
const MAX_SHORT_CHUNKS = 64;

/**
 * Refuses what no API server sends, before anything of the body is read.
 * @throws HttpProblem
 */
export function refuseOddRequest(request: IncomingMessage): void {
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

/**
 * The whole body.
 * @throws HttpProblem when it is too long, comes in too many pieces, or does not come
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
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

/**
 * A body as JSON.
 * @throws HttpProblem when it is none, or has too many values
 */
export function parseJson(body: Buffer): unknown {
  if (hasMoreValues(body, MAX_VALUES))
    throw new HttpProblem(413, `the request has more than ${MAX_VALUES} values: no pod has`);
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new HttpProblem(400, `the request is no JSON: ${messageOf(cause)}`);
  }
}
