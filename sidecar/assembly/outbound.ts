/** Flows that do not pass the proxy: those that end are recorded or counted; of the pod's own, those that a table forbids are ended. */
import type { Logger } from 'pino';
import { OncePer } from '../../common/pacing.ts';
import type { Judge } from '../../policy/index.ts';
import type { SidecarConfig } from '../config.ts';
import { ownAddresses } from '../guard/index.ts';
import {
  OutboundCutter,
  OutboundEnds,
  type OutboundEndsSink,
  type OutboundQuestions,
} from '../outbound/index.ts';
import type { EndedOutbound, Recorder, SidecarMetrics, TrackedSums } from '../records/index.ts';
import type { Enforcement, MembershipQueries } from '../table/index.ts';
import { ERROR_LOG_MS } from './log_intervals.ts';

/** Follows and ends outbound flows by the table in force. */
export class Outbound implements OutboundEndsSink {
  readonly #enforcement: Enforcement;
  readonly #recorder: Recorder;
  readonly #metrics: SidecarMetrics;
  readonly #log: Logger;
  readonly #ends: OutboundEnds;
  readonly #cutter: OutboundCutter;
  readonly #overruns = new OncePer(ERROR_LOG_MS);
  readonly #failures = new OncePer(ERROR_LOG_MS);

  /** @param injector connections to it are the sidecar's own, and policy does not apply to them */
  constructor(
    injector: SidecarConfig['injector'],
    enforcement: Enforcement,
    membership: MembershipQueries,
    recorder: Recorder,
    metrics: SidecarMetrics,
    log: Logger,
  ) {
    this.#enforcement = enforcement;
    this.#recorder = recorder;
    this.#metrics = metrics;
    this.#log = log;
    const interfaces = (): readonly string[] => ownAddresses().addresses;
    const before = (): Judge | undefined => enforcement.before;
    this.#ends = new OutboundEnds(() => enforcement.judge, this, { injector, interfaces, before });
    const questions: OutboundQuestions = {
      ask: (addresses, answered) => membership.ask(addresses, answered),
      judge: () => enforcement.judge,
    };
    this.#cutter = new OutboundCutter((flow) => this.ended(flow), {
      injector,
      claims: this.#ends,
      questions,
      interfaces,
      before,
    });
  }

  /** Why flows were not ended at once the last time; see `OutboundCutter`. */
  get problem(): string | undefined {
    return this.#cutter.problem;
  }

  /** To be called when a table is in force: flows are followed from the first one on. */
  follow(): void {
    this.#ends.follow();
  }

  /** Ends TCP connections that the table in force forbids. Never rejects. */
  async cut(): Promise<void> {
    const { judge } = this.#enforcement;
    if (judge !== undefined) await this.#cutter.cut(judge).catch((err: Error) => this.#cutFailed(err));
  }

  /** Has UDP and SCTP flows leave backends of Services that the table in force forbids. Never rejects. */
  async forgetBackends(): Promise<void> {
    const { judge } = this.#enforcement;
    if (judge !== undefined)
      await this.#cutter.forgetBackends(judge).catch((err: Error) => this.#cutFailed(err));
  }

  /** Records what has ended by now, and stops. */
  async close(): Promise<void> {
    await this.#ends.close();
  }

  ended(flow: EndedOutbound): void {
    this.#recorder.outbound(flow);
  }

  counted(sums: TrackedSums): void {
    this.#recorder.tracked(sums);
  }

  overrun(events: number): void {
    this.#metrics.outboundOverrun();
    this.#recorder.missed(events);
    if (this.#overruns.isDue())
      this.#log.warn(
        'more flows ended at once than could be taken note of: some have no record and are not counted',
      );
  }

  failed(err: Error): void {
    this.#log.error({ err }, 'flows that do not pass the proxy have no record, and are not counted');
  }

  #cutFailed(err: Error): void {
    if (this.#failures.isDue()) this.#log.error({ err }, 'outbound connections were not ended at once');
  }
}
