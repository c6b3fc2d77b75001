/** The body of a request, read within bounds. Any client that reaches a port can send one. */
import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../common/errno.ts';
import { HttpProblem } from './http_problem.ts';
import { hasMoreValues } from './json_size.ts';

/**
 * Short chunks of a body: each is as much work as a long one. API servers send long ones, but for the first few and the last.
 */
const SHORT_CHUNK_BYTES = 512;
const MAX_SHORT_CHUNKS = 64;

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
export function parseJson(body: Buffer, maxValues: number): unknown {
  if (hasMoreValues(body, maxValues))
    throw new HttpProblem(413, `the request has more than ${maxValues} values`);
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new HttpProblem(400, `the request is no JSON: ${messageOf(cause)}`);
  }
}
