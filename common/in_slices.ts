/** Has long work done in slices: what else the process does has its turn between them. */
import { setImmediate as othersTurn } from 'node:timers/promises';
import { doSome, type Steps } from './steps.ts';

/** How long a slice takes, and one step more, ms. A new connection waits for as long. */
const SLICE_MS = 5;
/** Work that takes less, ms, needs no turn of the others before what comes next. */
const SHORT_MS = 1;

/**
 * Does the work. What is short is done at once; after longer work others have had their turn. Rejects with what the work throws. Who
 * ends the steps by `return` ends the work.
 */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const beganMs = performance.now();
    const tookMs = (): number => performance.now() - beganMs;
    const done = doSome(steps, () => tookMs() <= SLICE_MS);
    if (done === undefined || tookMs() > SHORT_MS) await othersTurn();
    if (done !== undefined) return done.made;
  }
}
