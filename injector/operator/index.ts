/** The port for users: what was observed, with the rights of the user who asks. */

export { AskerPolicy } from './asker_policy.ts';
export { Askers } from './askers.ts';
export type { FlowCollector } from './flow_collector.ts';
export { FlowRights } from './flow_rights.ts';
export { type OperatorServer, startOperatorServer } from './operator_server.ts';
