/** The injector's replicas among each other: what one asks another, and who of them carries how many sidecars. */

export { AllFlows } from './all_flows.ts';
export { askReplica, askReplicas, readAnswer } from './ask_replicas.ts';
export { SessionSpread } from './session_spread.ts';
