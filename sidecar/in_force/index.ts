/** How much of the table is in force: one state, its transitions, and what each transition asks for. */

export {
  type Effect,
  effects,
  type InForce,
  isGateCurrent,
  NOTHING_IN_FORCE,
  PHASES,
  phase,
} from './in_force.ts';
export { TransitionLog } from './log.ts';
export { type InForceFollower, InForceMachine } from './machine.ts';
