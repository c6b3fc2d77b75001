/** Tables for sidecars: each connection is sent its own pod's table and each change of it, over TLS or a local socket. */

export type { DropReason, FlowSink } from './flow_intake.ts';
export { startLocalServer } from './local_server.ts';
export type { PolicyCounts } from './policy_counts.ts';
export type { ServerStatus, SidecarStatus } from './server_status.ts';
export type { SessionPod } from './session/index.ts';
export { whyNoSubject } from './subject.ts';
export { setTableGauges } from './table_gauges.ts';
export { TableServer, type TableServerOptions } from './table_server.ts';
export { startTlsServer } from './tls_server.ts';
