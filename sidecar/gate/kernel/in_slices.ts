/** Has long work done in slices: the flows of the sidecar have their turn between them. */
import { setImmediate as othersTurn } from 'node:timers/promises';
import type { Steps } from '../plan/index.ts';

/** How long a slice takes, and one step more, ms. A new connection waits for as long. */
const SLICE_MS = 5;
/** Work that takes less, ms, needs no turn of the others before what comes next. */
const SHORT_MS = 1;

/** Does the work. What is short is done at once; after longer work others have had their turn. Rejects with what the work throws. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  let beganMs = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    const tookMs = performance.now() - beganMs;
    if (tookMs > (done === true ? SHORT_MS : SLICE_MS)) {
      await othersTurn();
      beganMs = performance.now();
    }
    if (done === true) return value;
  }
}
