/** Lines on their way to the worker: bounded, since it may be busy with a question, or with a slow disk. */

import { flowsLineSum } from '../../policy/index.ts';
import type { DropReason, FlowSink, SessionPod } from '../tables/index.ts';
import type { ToWorker } from './messages.ts';
import { addLostAt, type LostWhere } from './sums/index.ts';

/** Bytes that wait for the worker: of a thousand sidecars with 70 kinds of flows each, twice. */
export const QUEUE_BYTES = 8 * 1024 * 1024;

/** Passes lines on. All that is dropped is told to the worker, which counts it. */
export class LineQueue implements FlowSink {
  readonly #post: (message: ToWorker, transfer?: readonly ArrayBuffer[]) => void;
  readonly #maxBytes: number;
  #bytes = 0;
  /** Flows of the lines that the worker has not taken yet, in their order. */
  #waiting: number[] = [];
  #isAway = false;
  #lost = new Map<LostWhere, number>();

  constructor(
    post: (message: ToWorker, transfer?: readonly ArrayBuffer[]) => void,
    maxBytes: number = QUEUE_BYTES,
  ) {
    this.#post = post;
    this.#maxBytes = maxBytes;
  }

  /** See `FlowSink`. */
  take({ namespace, name }: SessionPod, line: Uint8Array): void {
    const sum = flowsLineSum(line);
    if (this.#isAway) return addLostAt(this.#lost, 'away', sum);
    if (this.#bytes + line.length > this.#maxBytes) return addLostAt(this.#lost, 'queue', sum);
    const own = new Uint8Array(line);
    this.#bytes += own.length;
    this.#waiting.push(sum);
    this.#post({ type: 'line', namespace, pod: name, line: own }, [own.buffer]);
  }

  /** See `FlowSink`. */
  dropped(_pod: SessionPod, flows: number, why: DropReason): void {
    addLostAt(this.#lost, why, flows);
  }

  /** The worker has taken a line. */
  took(bytes: number): void {
    this.#bytes -= bytes;
    this.#waiting.shift();
  }

  /** The worker has failed: what waited for it is lost, and what comes until there is another. */
  away(): void {
    this.#isAway = true;
    for (const sum of this.#waiting) addLostAt(this.#lost, 'away', sum);
    this.#waiting = [];
    this.#bytes = 0;
  }

  /** There is another worker. */
  back(): void {
    this.#isAway = false;
  }

  /** Tells what was dropped since. */
  tell(): void {
    if (this.#lost.size === 0 || this.#isAway) return;
    this.#post({ type: 'lost', lost: [...this.#lost] });
    this.#lost = new Map();
  }
}
