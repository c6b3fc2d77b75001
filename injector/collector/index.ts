/** Collects what sidecars have counted, keeps it, and answers questions about it. docs/adr/0047-flows-collected-by-the-injector.md */

export { Collector, type CollectorParts, WORKER_HEAP_MB } from './collector.ts';
export { FLOW_OPTIONS, flowSettings } from './flow_options.ts';
export type { FlowSettings } from './messages.ts';
