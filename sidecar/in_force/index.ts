/** The face of `sidecar/in_force/`: what other parts may use. */

export { type Effect, effects, type InForce, NOTHING_IN_FORCE, PHASES, phase } from './in_force.ts';
export { TransitionLog } from './log.ts';
export { type InForceFollower, InForceMachine } from './machine.ts';
