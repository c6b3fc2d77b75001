/** Makes the parts that record flows, and the one that asks for the names of their other sides. */
import type { Logger } from 'pino';
import type { RecordLog } from '../../common/log.ts';
import { FlowHistory, Recorder, type SidecarMetrics } from '../records/index.ts';
import { type Enforcement, type InjectorLink, Owners } from '../table/index.ts';

/** The records of flows. */
export interface Records {
  readonly history: FlowHistory;
  readonly owners: Owners;
  readonly recorder: Recorder;
}

/** What records are made with. */
export interface RecordTools {
  readonly enforcement: Enforcement;
  readonly link: InjectorLink;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
  /** Where the line of each flow goes. */
  readonly lines: RecordLog;
}

/** @param flowHistory records kept for /flows */
export function openRecords(flowHistory: number, { link, ...tools }: RecordTools): Records {
  const history = new FlowHistory(flowHistory);
  const owners = new Owners(link);
  tools.enforcement.outdates(owners);
  return { history, owners, recorder: new Recorder({ ...tools, history, owners }) };
}
