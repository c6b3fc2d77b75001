/** What the collector keeps on disk. */

export type { StoredEvent } from './day_file.ts';
export { dayPath, type Resolution } from './day_names.ts';
export { FlowStore, type FlowStoreParts, STORED_STEP_MS } from './flow_store.ts';
