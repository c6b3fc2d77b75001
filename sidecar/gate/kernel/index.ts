/** The face of `sidecar/gate/kernel/`: what other parts may use. */

export { DenialReport, type DenialSink } from './denial_report.ts';
export type { DeniedPeer } from './denied.ts';
export { holdSyns, releaseSyns } from './full_ports.ts';
export { Gate, type GateEvents } from './gate.ts';
export { closeGate, isGateInForce, removeGate } from './install.ts';
export { GATE_TABLE } from './names.ts';
export { wholeRuleset } from './ruleset.ts';
export type { GateSettings } from './settings.ts';
