/** Lines of flows on their way from sidecars to the collector: looked at from outside only, as this thread also sends tables. */
import type { RateLimits } from '../../common/token_bucket.ts';
import { flowsLineSum } from '../../policy/index.ts';
import { AddressRates } from '../doors/index.ts';
import type { SessionPod } from './session/index.ts';

/** Of one pod's sidecar, bytes: 512 counts every 10 s are some 13 kB/s. By pod, as a connection is soon made again. */
const BYTES: RateLimits = { burst: 1024 * 1024, perSecond: 64 * 1024 };

/** Why a line was dropped before it reached the collector. */
export type DropReason = 'size' | 'rate';

/** Takes in what sidecars count. */
export interface FlowSink {
  /** @param line of flows, see `FLOWS_LINE`; lent for the time of the call. Its form is not checked */
  take(pod: SessionPod, line: Uint8Array): void;
  /** A line was dropped. @param flows that were in it, as it says itself */
  dropped(pod: SessionPod, flows: number, why: DropReason): void;
}

/** Where nothing is collected. */
export const NO_SINK: FlowSink = { take: () => undefined, dropped: () => undefined };

/** Checks size and rate. */
export class FlowIntake {
  readonly #sink: FlowSink;
  readonly #rates = new AddressRates(BYTES);

  constructor(sink: FlowSink) {
    this.#sink = sink;
  }

  /** @param isWhole false: the line is longer than it may be */
  take(podKey: string, pod: SessionPod, line: Uint8Array, isWhole: boolean): void {
    if (!isWhole) return this.#sink.dropped(pod, flowsLineSum(line), 'size');
    if (!this.#rates.take(podKey, performance.now(), line.length))
      return this.#sink.dropped(pod, flowsLineSum(line), 'rate');
    this.#sink.take(pod, line);
  }
}
