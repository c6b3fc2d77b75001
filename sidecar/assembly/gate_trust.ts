/** Says to the relay when the gate has judged what arrives, so that it need not wait for a second verdict. */
import { type InForce, type InForceFollower, isGateCurrent } from '../in_force/index.ts';
import type { Relay } from '../relay/index.ts';

/** Has the relay dial what the gate has judged, as long as the gate has the rules of the table in force. */
export class GateTrust implements InForceFollower {
  readonly #relay: Pick<Relay, 'trustGate'>;

  constructor(relay: Pick<Relay, 'trustGate'>, state: InForce) {
    this.#relay = relay;
    relay.trustGate(isGateCurrent(state));
  }

  moved(before: InForce, after: InForce): void {
    const isCurrent = isGateCurrent(after);
    // Rules that were put in once more judge from now on only.
    const isNew = isCurrent && after.gate !== before.gate;
    if (isNew || isCurrent !== isGateCurrent(before)) this.#relay.trustGate(isCurrent);
  }
}
