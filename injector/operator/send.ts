/** Sends answers no faster than they are read, and in pieces: an answer with all its edges would take one long turn. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as othersTurn } from 'node:timers/promises';
import type { ObservedAnswer, ObservedFlow } from '../../flows/index.ts';

/** Who does not read for so long is cut, ms. */
const READ_MS = 30_000;

/** Edges put into one piece; some 1 kB each. */
const PIECE = 50;

/** Writes, and waits until there is room for more. @throws Error when the reader is gone, or does not read */
export async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed) throw new Error('the reader is gone');
  if (response.write(text)) return;
  const late = AbortSignal.timeout(READ_MS);
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  response.once('close', leave);
  try {
    await once(response, 'drain', { signal: AbortSignal.any([late, gone.signal]) });
  } catch (cause) {
    response.destroy();
    throw new Error('the reader does not read', { cause });
  } finally {
    response.off('close', leave);
  }
}

/**
 * Sends an answer.
 * @param cut what is shown of an edge; undefined: nothing
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: ObservedAnswer,
  cut: (flow: ObservedFlow) => ObservedFlow | undefined,
): Promise<void> {
  const { flows, ...head } = answer;
  response.writeHead(200, { 'content-type': 'application/json' });
  await write(response, `${JSON.stringify(head).slice(0, -1)},"flows":[`);
  let separator = '';
  for (let at = 0; at < flows.length; at += PIECE) {
    const shown = flows.slice(at, at + PIECE).flatMap((flow) => cut(flow) ?? []);
    if (shown.length === 0) continue;
    await write(response, separator + shown.map((flow) => JSON.stringify(flow)).join(','));
    separator = ',';
    await othersTurn();
  }
  response.end(']}\n');
}
