/** The redirect of a running sidecar: it is watched, and led to the port that the proxy has. */
import type { Logger } from 'pino';
import { LatestWins } from '../../common/latest_wins.ts';
import { OncePer } from '../../common/pacing.ts';
import type { InForceMachine } from '../in_force/index.ts';
import {
  type AppliedRedirect,
  Canary,
  type CanaryContext,
  leadRedirect,
  type Paths,
  type RedirectConfig,
  verifyRedirect,
} from '../redirect/index.ts';
import { REPEATED_LOG_MS } from './log_intervals.ts';

/** How often, at most, a redirect that does not lead to the proxy is led there again, ms. That takes some processes. */
const LEAD_AGAIN_MS = 3_000;

/** Reports to what is in force whether the redirect is intact. */
export class WatchedRedirect implements CanaryContext {
  readonly port: number;
  readonly canary: Canary;
  readonly #inForce: InForceMachine;
  readonly #log: Logger;
  #config: RedirectConfig;
  readonly #paths: Paths;
  /** What the kernel lacks, where that is known from the start. */
  readonly #limits: readonly string[];
  readonly #leading = new LatestWins<number>((port) => this.#lead(port));
  readonly #leadingAgain = new OncePer(LEAD_AGAIN_MS);
  readonly #leadFailures = new OncePer(REPEATED_LOG_MS);

  /**
   * @param paths those that the rules had when this process began: it follows them, so that they may not change
   * @param applied what this process has put in force itself; absent: its rules are looked at first of all
   */
  constructor(
    config: RedirectConfig,
    paths: Paths,
    inForce: InForceMachine,
    log: Logger,
    applied?: AppliedRedirect,
  ) {
    this.port = config.canaryPort;
    this.#paths = paths;
    this.#config = config;
    this.#inForce = inForce;
    this.#log = log;
    this.canary = new Canary(this, applied !== undefined);
    this.#limits = applied?.redirect.limits ?? [];
  }

  /** The port that the proxy has. */
  get inboundPort(): number {
    return this.#config.inboundPort;
  }

  /** The proxy listens on another port than is set: the rules are led there. Never rejects. */
  async moveTo(inboundPort: number): Promise<void> {
    this.#config = { ...this.#config, inboundPort };
    await this.#leading.do(inboundPort);
  }

  /** The rules may lead to a port that the proxy does not have: has them lead to it, if that was not tried just now. */
  leadAgain(): void {
    if (this.#leadingAgain.isDue()) void this.#leading.do(this.#config.inboundPort);
  }

  /** Watches the redirect of the families that the proxy listens on, until `close`. */
  start(): void {
    const { proxy } = this.#inForce.state;
    if (this.#limits.length > 0) this.#inForce.happened({ event: 'redirect-verified', limits: this.#limits });
    if (proxy.state === 'listening') void this.canary.start(proxy.families);
  }

  close(): void {
    this.canary.close();
  }

  async verify(): Promise<void> {
    const { limits } = await verifyRedirect(this.#config, this.#paths);
    this.#inForce.happened({ event: 'redirect-verified', limits });
  }

  checked(problem: string | undefined): void {
    this.#inForce.happened({ event: 'redirect', problem });
  }

  /** Never rejects. */
  async #lead(port: number): Promise<void> {
    try {
      if (await leadRedirect(port)) this.#log.warn({ port }, 'the redirect leads to another port now');
    } catch (err) {
      if (this.#leadFailures.isDue())
        this.#log.error({ err }, 'the redirect does not lead to the port of the proxy; it is tried again');
    }
  }
}
