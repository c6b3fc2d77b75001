/** How many flows of which kind there were: added up for some seconds, bounded, and handed over. */

export { type CountedFlow, FlowCounts } from './flow_counts.ts';
export { FlowReports, type FlowSink } from './flow_reports.ts';
