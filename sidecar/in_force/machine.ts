/** Holds the state of what is in force: takes events, and calls its followers at each transition. */
import {
  type Blocker,
  blockers,
  type InForce,
  type InForceEvent,
  NOTHING_IN_FORCE,
  next,
} from './in_force.ts';

/** Who hears of transitions. In the sidecar these are `TransitionLog` of this room, and `Effects` of `sidecar/assembly/`. */
export interface InForceFollower {
  /** Called after each event, also where the state stays the same. It may report further events later, not at once. */
  moved(before: InForce, after: InForce): void;
}

/** The state of one sidecar, and the only holder of it. */
export class InForceMachine {
  readonly #followers: InForceFollower[] = [];
  #state: InForce = NOTHING_IN_FORCE;

  get state(): InForce {
    return this.#state;
  }

  /** Why the pod is not ready; empty when it is. */
  get blockers(): readonly Blocker[] {
    return blockers(this.#state);
  }

  /** Calls `follower` at each transition from now on, after the followers that were added before it. */
  follow(follower: InForceFollower): void {
    this.#followers.push(follower);
  }

  /** Takes an event. What follows from it and takes time comes back as further events. */
  happened(event: InForceEvent): void {
    const before = this.#state;
    const after = next(before, event);
    this.#state = after;
    for (const follower of this.#followers) follower.moved(before, after);
  }
}
