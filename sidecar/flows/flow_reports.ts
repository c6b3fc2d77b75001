/** Hands what was counted to the part that sends it, a window every ten seconds. What cannot be sent goes with the next window. */
import type { FlowWindow } from '../../flows/index.ts';
import type { FlowCounts } from './flow_counts.ts';

/** Length of a window, ms. */
export const WINDOW_MS = 10_000;

/** Sends windows. */
export interface FlowSink {
  /** @returns false where it could not be sent */
  send(window: FlowWindow): boolean;
}

/** Sends windows until `close`. */
export class FlowReports {
  readonly #counts: FlowCounts;
  readonly #sink: FlowSink;
  #timer: NodeJS.Timeout | undefined;

  constructor(counts: FlowCounts, sink: FlowSink) {
    this.#counts = counts;
    this.#sink = sink;
  }

  /** The first window ends in ten seconds. */
  start(): void {
    this.#timer ??= setInterval(() => this.report(), WINDOW_MS);
  }

  /** Ends the window now. */
  report(): void {
    const window = this.#counts.take(Date.now());
    if (window !== undefined && !this.#sink.send(window)) this.#counts.putBack(window);
  }

  /** Stops; what was counted until now is sent, or is lost. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.report();
  }
}
