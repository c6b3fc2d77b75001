/** Waiting for a condition instead of for a time. */
import { setTimeout as delay } from 'node:timers/promises';

const STEP_MS = 2;

/** Returns the first result that is neither undefined nor false. Fails after `limitMs`. */
export async function waitFor<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 5_000,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const result = await condition();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > endMs) throw new Error(`not so within ${limitMs} ms: ${condition.toString()}`);
    await delay(STEP_MS);
  }
}
