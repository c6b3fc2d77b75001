/** Runs iperf3's client: its server takes one run at a time, and may notice the end of the last one late. */
import { setTimeout as delay } from 'node:timers/promises';
import { isBusy } from './iperf3.ts';
import { type ClientPod, tryTool } from './tool.ts';

const ATTEMPTS = 20;
const RETRY_MS = 100;
const MS_PER_SECOND = 1000;

/**
 * Runs a client to its end.
 * @param before what to look at when the load begins
 * @returns what the client printed, and what `before` saw
 * @throws Error with what iperf3 said, when it fails
 */
export async function runIperf<T>(
  client: ClientPod & { readonly signal: AbortSignal },
  argv: readonly string[],
  seconds: number,
  before: () => T | Promise<T>,
): Promise<{ readonly output: string; readonly before: T }> {
  for (let attempt = 1; ; attempt += 1) {
    const seen = await before();
    const { output, failure } = await tryTool(client, argv, seconds * MS_PER_SECOND);
    if (attempt < ATTEMPTS && isBusy(output)) {
      await delay(RETRY_MS, undefined, { signal: client.signal });
      continue;
    }
    if (failure !== undefined) throw new Error(failure);
    return { output, before: seen };
  }
}
