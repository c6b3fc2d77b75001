/** Carries out what follows from a transition of what is in force. */
import { unreachable } from '../../common/errors.ts';
import {
  type Effect,
  effects,
  type InForce,
  type InForceFollower,
  type InForceMachine,
} from '../in_force/index.ts';
import type { InjectorLink } from '../table/index.ts';
import type { Direct } from './direct.ts';
import type { WatchedGate } from './gate.ts';
import type { Leftovers } from './leftovers.ts';
import type { Outbound } from './outbound.ts';
import type { WatchedRedirect } from './redirect.ts';
import type { State } from './state.ts';

/** What effects work on. */
export interface EffectTools {
  readonly state: State;
  readonly gate: WatchedGate;
  readonly outbound: Outbound;
  readonly direct: Direct;
  readonly leftovers: Leftovers;
  readonly redirect: WatchedRedirect;
  readonly link: InjectorLink;
}

/** The effects. Those that take time report their end as an event. */
export class Effects implements InForceFollower {
  readonly #inForce: InForceMachine;
  readonly #tools: EffectTools;

  constructor(inForce: InForceMachine, tools: EffectTools) {
    this.#inForce = inForce;
    this.#tools = tools;
  }

  moved(before: InForce, after: InForce): void {
    for (const effect of effects(before, after)) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    switch (effect.effect) {
      case 'program':
        return this.#program(effect.change);
      case 'cut':
        return void this.#cut(effect.change);
      case 'keep':
        return void this.#keep(effect.change);
      case 'acknowledge':
        return this.#tools.link.acknowledge(effect.revision);
      case 'look-for-cause':
        return this.#lookForCause();
      default:
        return unreachable(effect);
    }
  }

  /** Has the kernel get the rules of the latest table. The gate's events say how that went. */
  #program(change: number): void {
    const { state, gate } = this.#tools;
    const { table } = state.enforcement;
    if (table !== undefined) void gate.gate.enforce(table, change);
  }

  /**
   * Ends outbound and direct connections that the table forbids: those that were opened until the gate was shut to them. The proxy's
   * have ended, but for those whose sources the injector is being asked about.
   */
  async #cut(change: number): Promise<void> {
    const { outbound, direct, leftovers, state } = this.#tools;
    const { judge } = state.enforcement;
    await outbound.cut();
    await outbound.forgetBackends();
    await state.enforcement.allEnded();
    await direct.cutAll();
    await leftovers.end();
    state.enforcement.settled(judge);
    this.#inForce.happened({ event: 'cut', change });
  }

  /** Waits until the latest table is on disk, or could not be written. */
  async #keep(change: number): Promise<void> {
    await this.#tools.state.file.flush();
    this.#inForce.happened({ event: 'kept', change });
  }

  /** The redirect is lost: the gate's rules may have gone with it, or the redirect leads to a port that the proxy has left. */
  #lookForCause(): void {
    const { gate, redirect } = this.#tools;
    void gate.gate.ensure();
    redirect.leadAgain();
  }
}
