/** Errors of single connections. They come by the thousand when something is wrong, so that few of them are logged. */
import type { Logger } from 'pino';
import { OncePer } from '../../common/pacing.ts';
import type { SidecarMetrics } from '../records/index.ts';

/** One line of each kind per interval says enough, ms. */
const LOG_MS = 1_000;

/** Counts and logs what the data path fails at. */
export class InboundFailures {
  readonly #metrics: Pick<SidecarMetrics, 'acceptFailed'>;
  readonly #log: Logger;
  readonly #accepts = new OncePer(LOG_MS);
  readonly #dials = new OncePer(LOG_MS);

  constructor(metrics: Pick<SidecarMetrics, 'acceptFailed'>, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /** A connection could not be accepted. @param problem an errno such as EMFILE */
  acceptFailed(problem: string): void {
    this.#metrics.acceptFailed();
    if (this.#accepts.isDue()) this.#log.error({ problem }, 'a connection was not accepted');
  }

  /** No socket could be made for the app leg, for another reason than load. */
  dialFailed(problem: string): void {
    if (this.#dials.isDue()) this.#log.error({ problem }, 'the app could not be dialled');
  }
}
