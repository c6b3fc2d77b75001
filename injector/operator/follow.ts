/** Sends flows as they are observed, a line of JSON each, for as long as the user may see them. */
import type { ServerResponse } from 'node:http';
import type { FlowQuestion } from '../../flows/index.ts';
import { cutFlow, cutQuestion } from './cut.ts';
import type { FlowCollector } from './flow_collector.ts';
import { write } from './send.ts';
import type { Visible } from './visible.ts';

/** An empty line is sent this often, ms, so that a reader that has vanished is noticed, and nothing in between gives up. */
const BEAT_MS = 15_000;

/** How often rights are asked about again, ms. */
const LOOK_MS = 10_000;

/** What a stream is about. */
export interface Followed {
  readonly question: FlowQuestion;
  /** At the begin. */
  readonly visible: Visible;
  /** What is visible now. Rejects where nothing is, or where it cannot be said: then the stream ends. */
  readonly look: () => Promise<Visible>;
  /** When the token ends, ms since 1970; the stream ends then, and is begun again with another one. */
  readonly endsMs: number;
}

/** Times; tests shorten them. */
export interface FollowTimes {
  readonly beatMs: number;
  readonly lookMs: number;
}

const TIMES: FollowTimes = { beatMs: BEAT_MS, lookMs: LOOK_MS };

/**
 * Sends until the reader goes, the token ends, a right is withdrawn, or `signal` is aborted. A right that comes later counts for the next stream.
 * @throws what the collector throws
 */
export async function sendFollowed(
  response: ServerResponse,
  { question, visible, look, endsMs }: Followed,
  collector: FlowCollector,
  signal: AbortSignal,
  { beatMs, lookMs }: FollowTimes = TIMES,
): Promise<void> {
  const over = new AbortController();
  const end = (): void => over.abort();
  response.once('close', end);
  let silent = true;
  const beat = setInterval(() => {
    if (silent && !response.writableNeedDrain) response.write('\n');
    silent = true;
  }, beatMs);
  const looking = setInterval(() => {
    look().then((now) => (isLess(now, visible) ? end() : undefined), end);
  }, lookMs);
  const last = setTimeout(end, Math.max(0, endsMs - Date.now()));
  const until = AbortSignal.any([signal, over.signal]);
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  try {
    for await (const flow of collector.follow(cutQuestion(question, visible), until)) {
      if (until.aborted) break;
      const shown = cutFlow(flow, question, visible);
      if (shown === undefined) continue;
      silent = false;
      await write(response, `${JSON.stringify(shown)}\n`);
    }
  } catch (error) {
    if (!until.aborted && !response.destroyed) throw error;
  } finally {
    clearInterval(beat);
    clearInterval(looking);
    clearTimeout(last);
    response.off('close', end);
    response.end();
  }
}

/** Whether something is hidden now that was not. */
function isLess(now: Visible, before: Visible): boolean {
  if (now === undefined) return false;
  if (before === undefined) return true;
  return [...before].some((namespace) => !now.has(namespace));
}
