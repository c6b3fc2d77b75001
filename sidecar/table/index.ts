/** The table in force: received, kept on disk, and asked for verdicts. Also the live flows, which another table may end. */

export { Enforcement } from './enforcement.ts';
export { TableFile } from './file.ts';
export type { FlowJudge } from './flow_judge.ts';
export { type FormerVerdict, formerVerdict } from './former_verdict.ts';
export { InjectorLink } from './injector_link.ts';
export { type LiveFlow, LiveTable, type Revocation } from './live_table.ts';
export { MembershipQueries } from './membership_queries.ts';
export { type Need, type Owner, Owners } from './owners.ts';
export { type PartialGroups, type StreamEvents, TableStream } from './stream.ts';
export { type TlsSource, tlsTransport } from './tls_transport.ts';
export { localTransport, type Transport } from './transport.ts';
