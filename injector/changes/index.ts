/** Which objects of the cluster have changed lately, by the revision that each change came in force with, and what ended a flow. */

export { type ChangeOrigin, NO_ORIGINS, type Origins } from './change_origin.ts';
export type { CommittedChanges } from './committed_changes.ts';
export { ObjectChanges } from './object_changes.ts';
export { PendingChanges } from './pending_changes.ts';
