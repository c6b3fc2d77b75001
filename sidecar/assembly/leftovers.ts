/** Has the kernel drop what flows of the proxy have left there, where the table in force denies it. */
import type { Logger } from 'pino';
import { errnoName } from '../../common/errno.ts';
import { OncePer } from '../../common/pacing.ts';
import { endLeftovers } from '../inbound/index.ts';
import type { Enforcement } from '../table/index.ts';
import { ERROR_LOG_MS } from './log_intervals.ts';

/** Of one sidecar. */
export class Leftovers {
  readonly #enforcement: Enforcement;
  readonly #isExempt: (address: string, port: number) => boolean;
  readonly #log: Logger;
  readonly #failures = new OncePer(ERROR_LOG_MS);

  constructor(enforcement: Enforcement, isExempt: (address: string, port: number) => boolean, log: Logger) {
    this.#enforcement = enforcement;
    this.#isExempt = isExempt;
    this.#log = log;
  }

  /** To be called when all flows that the table denies have ended. Never rejects. */
  async end(): Promise<void> {
    const { judge } = this.#enforcement;
    if (judge === undefined) return;
    try {
      const failed = await endLeftovers(judge, this.#isExempt);
      if (failed !== undefined) this.#fail(errnoName(failed));
    } catch (err) {
      this.#fail(err);
    }
  }

  #fail(err: unknown): void {
    if (this.#failures.isDue())
      this.#log.warn({ err }, 'the last bytes of connections that are over may still reach denied clients');
  }
}
