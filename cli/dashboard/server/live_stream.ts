/** Edges as they come, as server-sent events. A page that does not read holds up its own stream, and is then cut off. */
import type { ServerResponse } from 'node:http';
import type { ObservedFlow } from '../../../flows/index.ts';

/** A comment goes this often, so that a page that is gone is noticed, ms. */
const HEARTBEAT_MS = 15_000;

/** A page that takes nothing for this long is gone, ms. It connects again if it is not. */
const STUCK_MS = 30_000;

/** Resolves when the stream is over. Events: `flow`, `end` when no more will come, `problem` with a sentence. */
export async function streamFlows(
  flows: AsyncIterable<ObservedFlow>,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  // The page learns at once that it is connected.
  response.write(': sluice\n\n');
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': \n\n');
  }, HEARTBEAT_MS);
  try {
    for await (const flow of flows) {
      await send(response, 'flow', flow);
      if (signal.aborted) break;
    }
    if (!signal.aborted) await send(response, 'end', {});
  } catch (error) {
    if (!signal.aborted)
      await send(response, 'problem', { text: error instanceof Error ? error.message : String(error) });
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

async function send(response: ServerResponse, event: string, data: object): Promise<void> {
  // JSON has no line ends of its own.
  if (response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`) || response.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stuck = setTimeout(() => response.destroy(), STUCK_MS);
  response.once('drain', resolve).once('close', resolve);
  await promise;
  clearTimeout(stuck);
  response.off('drain', resolve).off('close', resolve);
}
