/** Puts the gate's plan into the kernel, keeps it there, and reads what it dropped. */

export { DenialReport, type DenialSink } from './denial_report.ts';
export type { DeniedPeer } from './denied.ts';
export { holdSyns, releaseSyns } from './full_ports.ts';
export { Gate, type GateEvents } from './gate.ts';
export { areRulesThere, closedRuleset, closeGate, isGateInForce, removeGate } from './install.ts';
export { GATE_TABLE, GATE_TABLE_NAME } from './names.ts';
export { wholeRuleset } from './ruleset.ts';
export type { GateSettings } from './settings.ts';
export { UnmetPeers, type UnmetSink } from './unmet_peers.ts';
