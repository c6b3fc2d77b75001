/** The face of `sidecar/in_force/`: what other parts may use. */

export { BringIntoForce } from './bring_into_force.ts';
export { blockers, type InForce, type InForceEvent, NOTHING_IN_FORCE, PHASES, phase } from './in_force.ts';
export { logTransition } from './log.ts';
