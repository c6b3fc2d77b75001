/** One record per flow, written when it ends or is refused: for the log, the metrics and `/flows`. */

export type { EndedOutbound } from './ended_outbound.ts';
export { FlowHistory } from './history.ts';
export { type Gauges, SidecarMetrics } from './metrics.ts';
export { Recorder } from './recorder.ts';
