/** Flows that ended or were refused: all are counted, and have records for `/flows`; denials and cuts also for the log. */

export type { EndedOutbound } from './ended_outbound.ts';
export { FlowHistory } from './history.ts';
export { type Gauges, SidecarMetrics } from './metrics.ts';
export { Recorder, type TrackedSums } from './recorder.ts';
