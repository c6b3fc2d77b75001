/** The third stage: where flows are recorded, and who knows the names of their other sides. */
import type { Logger } from 'pino';
import { FlowHistory, Recorder, type SidecarMetrics } from '../records/index.ts';
import { type Enforcement, type InjectorLink, Owners } from '../table/index.ts';

/** The records of flows. */
export interface Records {
  readonly history: FlowHistory;
  readonly owners: Owners;
  readonly recorder: Recorder;
}

/** @param flowHistory records kept for /flows */
export function openRecords(
  flowHistory: number,
  enforcement: Enforcement,
  link: InjectorLink,
  metrics: SidecarMetrics,
  log: Logger,
): Records {
  const history = new FlowHistory(flowHistory);
  const owners = new Owners(link);
  return { history, owners, recorder: new Recorder(history, metrics, enforcement, owners, log) };
}
