/** Has the kernel drop what flows of the proxy have left there, where the table in force denies it. */
import type { Logger } from 'pino';
import { errnoName } from '../../common/errno.ts';
import { isTranslatedPort } from '../../common/inbound_ports.ts';
import { OncePer } from '../../common/pacing.ts';
import { endLeftovers } from '../inbound/index.ts';
import type { Enforcement } from '../table/index.ts';
import { ERROR_LOG_MS } from './log_intervals.ts';

/** Of one sidecar. */
export class Leftovers {
  readonly #enforcement: Enforcement;
  readonly #isExempt: (address: string, port: number) => boolean;
  readonly #isTranslated: (port: number) => boolean;
  readonly #log: Logger;
  readonly #failures = new OncePer(ERROR_LOG_MS);

  /** @param inboundPort the proxy's at the time */
  constructor(
    enforcement: Enforcement,
    isExempt: (address: string, port: number) => boolean,
    inboundPort: () => number,
    log: Logger,
  ) {
    this.#enforcement = enforcement;
    this.#isExempt = isExempt;
    this.#isTranslated = (port) => isTranslatedPort(inboundPort(), port);
    this.#log = log;
  }

  /** To be called when all flows that the table denies have ended. Never rejects. */
  async end(): Promise<void> {
    const { judge } = this.#enforcement;
    if (judge === undefined) return;
    try {
      const failed = await endLeftovers(judge, this.#isExempt, this.#isTranslated);
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
