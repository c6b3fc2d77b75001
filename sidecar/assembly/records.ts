/** Makes the parts that count and record flows, and the one that asks for the names of their other sides. */
import type { Logger } from 'pino';
import type { RecordLog } from '../../common/log.ts';
import type { SidecarConfig } from '../config.ts';
import { FlowCounts } from '../flows/index.ts';
import { FlowHistory, Recorder, type SidecarMetrics } from '../records/index.ts';
import { type Enforcement, type InjectorLink, Owners } from '../table/index.ts';

/** The records of flows. */
export interface Records {
  readonly history: FlowHistory;
  readonly owners: Owners;
  readonly recorder: Recorder;
  /** Of all flows. */
  readonly counts: FlowCounts;
}

/** What records are made with. */
export interface RecordTools {
  readonly enforcement: Enforcement;
  readonly link: InjectorLink;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
  /** Where lines of flows go. */
  readonly lines: RecordLog;
}

/** Makes them. Nothing is counted or recorded yet. */
export function openRecords(
  { flowHistory, flowLog }: Pick<SidecarConfig, 'flowHistory' | 'flowLog'>,
  { link, ...tools }: RecordTools,
): Records {
  const history = new FlowHistory(flowHistory);
  const owners = new Owners(link);
  tools.enforcement.outdates(owners);
  const counts = new FlowCounts(Date.now());
  const recorder = new Recorder({ ...tools, history, owners, counts, flowLog });
  return { history, owners, recorder, counts };
}
