/** What a request to the webhook has to be. Any client that reaches the port can send one. */
import type { IncomingMessage } from 'node:http';
import { HttpProblem } from '../../doors/index.ts';

/** The path that the webhook configuration names. */
export const WEBHOOK_PATH = '/inject';

/** Values in one: JSON of many small ones takes a hundred times as long as its length says. A pod of 3 MB is long texts. */
export const MAX_VALUES = 100_000;

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
