/** Puts the guard in force, and logs and counts what it reports. */
import type { Logger } from 'pino';
import { OncePer } from '../../common/pacing.ts';
import { bindingText, Guard, type GuardEvents, type GuardReason } from '../guard/index.ts';
import type { SidecarMetrics } from '../records/index.ts';
import type { AppliedRedirect } from '../redirect/index.ts';
import { ERROR_LOG_MS, REPEATED_LOG_MS } from './log_intervals.ts';

/** What each reason of the guard says in the log. */
const MESSAGES: Readonly<Record<GuardReason, string>> = {
  'forged-source': "packets with a source address that is not the pod's own were dropped on their way out",
  'forged-node': "packets with the own node's address that did not come from it were dropped",
  'source-route': 'packets with a route of their own were dropped',
  'foreign-router': 'advertisements of an unknown router were dropped',
};

/**
 * Puts the guard in force, before anything is accepted.
 * @param applied what this process has put in force itself, the guard with it
 * @throws SluiceError where the kernel refuses its tables
 */
export async function openGuard(
  nodeIPs: readonly string[],
  metrics: SidecarMetrics,
  log: Logger,
  applied?: AppliedRedirect,
): Promise<Guard> {
  const guard = await Guard.open(nodeIPs, new GuardFollower(metrics, log), applied?.guard);
  const { status } = guard;
  const isLacking = status.packets !== status.frames;
  if (isLacking || status.own_node.some(({ known_by }) => known_by.includes('alone')))
    log.warn({ guard: status }, 'this network or kernel cannot show all forged addresses');
  else log.info({ guard: status }, 'the guard is in force');
  return guard;
}

/** Counts and logs what the guard reports. */
class GuardFollower implements GuardEvents {
  readonly #metrics: SidecarMetrics;
  readonly #log: Logger;
  readonly #drops: Readonly<Record<GuardReason, OncePer>> = {
    'forged-source': new OncePer(REPEATED_LOG_MS),
    'forged-node': new OncePer(REPEATED_LOG_MS),
    'source-route': new OncePer(REPEATED_LOG_MS),
    'foreign-router': new OncePer(REPEATED_LOG_MS),
  };
  readonly #disputes = new OncePer(REPEATED_LOG_MS);
  readonly #failures = new OncePer(ERROR_LOG_MS);

  constructor(metrics: SidecarMetrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  dropped({ reason, packets, sources }: Parameters<GuardEvents['dropped']>[0]): void {
    this.#metrics.guardDropped(reason, packets);
    if (this.#drops[reason].isDue()) this.#log.warn({ reason, packets, sources }, MESSAGES[reason]);
  }

  rebound({ address, hop, binding }: Parameters<GuardEvents['rebound']>[0]): void {
    this.#log.info({ address, hop, known_by: bindingText(binding) }, 'how the own node is known has changed');
  }

  contested(hop: Parameters<GuardEvents['contested']>[0], claimed: string): void {
    this.#metrics.gatewayDisputed();
    if (this.#disputes.isDue())
      this.#log.warn(
        { hop, claimed },
        "somebody else answers for the own node's next hop: it stays known as it was",
      );
  }

  failed(problem: string): void {
    if (this.#failures.isDue())
      this.#log.error({ problem }, 'the guard could not be checked; it is tried again');
  }
}
