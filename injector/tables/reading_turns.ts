/**
 * Connections of which more has come than is taken in at a time: hostile ones, as a rule, and there may be thousands of them. Together
 * they use some milliseconds of a turn of the event loop, one after the other; the others wait for the next turn.
 */

/** Taken in of a turn, ms. */
const READ_MS = 5;

/** Shared by all connections of a server. */
export class ReadingTurns {
  readonly #waiting = new Set<() => void>();
  readonly #nowMs: () => number;
  #isScheduled = false;

  /** @param nowMs tests have another clock */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @param resume has a connection read on, in the ticks after the call */
  add(resume: () => void): void {
    this.#waiting.add(resume);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.size === 0) return;
    this.#isScheduled = true;
    // Who waits again has had his turn: no more than those who wait now have it.
    setImmediate(() => this.#next(this.#waiting.size, this.#nowMs() + READ_MS));
  }

  #next(most: number, endMs: number): void {
    const [resume] = this.#waiting;
    if (resume === undefined || most === 0 || this.#nowMs() >= endMs) {
      this.#isScheduled = false;
      return this.#schedule();
    }
    this.#waiting.delete(resume);
    resume();
    process.nextTick(() => this.#next(most - 1, endMs));
  }
}
