/** One sidecar's connection: what it has of its table, what it is sent next, and what it asks. */

export type { Due, Sending } from './due.ts';
export type { ViewHost } from './partial_view.ts';
export type { Identified, SessionHost } from './session_host.ts';
export type { CutReason, SessionLimits, SessionLink, SessionPod } from './session_link.ts';
export { TableSession } from './table_session.ts';
