/** Long work in little pieces: how much of the present turn of the event loop is used, and the way to the next turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What is used of a turn before others have theirs, ms: half of the 20 ms that no turn may take. */
const SLICE_MS = 10;

/** Shared by all who do long work at the same time: together they use one slice of a turn. */
export class TurnSlice {
  readonly #sliceMs: number;
  /** When the work of this turn began; undefined: no one has worked in it. */
  #beganMs: number | undefined;

  /** @param sliceMs default 10; 0: each piece of work has a turn of its own */
  constructor(sliceMs = SLICE_MS) {
    this.#sliceMs = sliceMs;
  }

  /** Whether the slice of this turn is used up. To be asked after each piece of work, however small. */
  isUsed(): boolean {
    const nowMs = performance.now();
    if (this.#beganMs === undefined) {
      this.#beganMs = nowMs;
      setImmediate(() => {
        this.#beganMs = undefined;
      });
    }
    return nowMs - this.#beganMs >= this.#sliceMs;
  }

  /** Resolves in a later turn. */
  async next(): Promise<void> {
    await nextTurn();
  }
}
