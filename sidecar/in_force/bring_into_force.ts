/** Keeps what is in force: takes what happened, and carries out what follows from each transition. */
import { type Effect, effects, type InForce, type InForceEvent, NOTHING_IN_FORCE, next } from './in_force.ts';

/** What carries out the effects; see `Effect`. */
export interface Doers {
  /** Has the kernel get the rules of the latest table; the gate's events say how that went. */
  program(change: number): void;
  /** Ends outbound connections that the table forbids. Never rejects. */
  cut(): Promise<void>;
  /** Resolves when the latest table is on disk, or could not be written. */
  keep(): Promise<void>;
  acknowledge(revision: number): void;
  lookForCause(): void;
  /** For log lines. */
  changed(before: InForce, after: InForce): void;
}

/** The state of one sidecar, and the only holder of it. */
export class BringIntoForce {
  readonly #doers: Doers;
  #state: InForce = NOTHING_IN_FORCE;

  constructor(doers: Doers) {
    this.#doers = doers;
  }

  get state(): InForce {
    return this.#state;
  }

  /** Takes an event. Effects that take time come back as events. */
  happened(event: InForceEvent): void {
    const before = this.#state;
    const after = next(before, event);
    this.#state = after;
    this.#doers.changed(before, after);
    for (const effect of effects(before, after)) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    switch (effect.effect) {
      case 'program':
        return this.#doers.program(effect.change);
      case 'cut':
        return void this.#doers.cut().then(() => this.happened({ event: 'cut', change: effect.change }));
      case 'keep':
        return void this.#doers.keep().then(() => this.happened({ event: 'kept', change: effect.change }));
      case 'acknowledge':
        return this.#doers.acknowledge(effect.revision);
      case 'look-for-cause':
        return this.#doers.lookForCause();
      default:
        return effect satisfies never;
    }
  }
}
