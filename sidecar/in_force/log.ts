/** Log lines that follow from transitions of what is in force. */
import type { Logger } from 'pino';
import { unreachable } from '../../common/errors.ts';
import { type GateState, type InForce, phase, type RedirectState } from './in_force.ts';
import type { InForceFollower } from './machine.ts';

/** Writes one line for each thing that has changed its kind or its problem. */
export class TransitionLog implements InForceFollower {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  moved(before: InForce, after: InForce): void {
    const log = this.#log;
    if (before.redirectLimits.join() !== after.redirectLimits.join())
      log.warn({ limits: after.redirectLimits }, 'this kernel cannot do all of the redirect');
    if (isOther(before.gate, after.gate)) logGate(log, after.gate);
    if (isOther(before.redirect, after.redirect)) logRedirect(log, after.redirect);
    if (phase(before) === 'less' && phase(after) !== 'less')
      log.info({ in_force: phase(after) }, 'what was lost of the enforcement is back');
    if (before.acknowledged !== 0 && after.acknowledged === 0)
      log.error(
        { revision: before.acknowledged },
        'the table is no longer enforced in full: its acknowledgement is taken back',
      );
  }
}

type Part = GateState | RedirectState;

function isOther(before: Part, after: Part): boolean {
  const problem = (part: Part): string | undefined => ('problem' in part ? part.problem : undefined);
  return before.state !== after.state || problem(before) !== problem(after);
}

function logGate(log: Logger, gate: GateState): void {
  switch (gate.state) {
    case 'in-force':
      return log.info({ revision: gate.revision }, 'the gate is in force');
    case 'closed':
      return log.info('the gate is closed until the first table');
    case 'old-rules':
      return log.error(
        { problem: gate.problem, revision: gate.revision },
        'the gate does not enforce the latest table: the rules of an older one stay, and it is tried again',
      );
    case 'gone':
      return log.error(
        { problem: gate.problem },
        "the gate's rules are gone or not all there: until they are back inbound TCP has the proxy at most, and nothing else is enforced; it is tried again",
      );
    case 'unavailable':
      return log.error(
        { problem: gate.problem },
        'there is no gate: denied inbound TCP is refused after accept; UDP, SCTP and egress are not enforced',
      );
    default:
      return unreachable(gate);
  }
}

function logRedirect(log: Logger, redirect: RedirectState): void {
  switch (redirect.state) {
    case 'unchecked':
      return;
    case 'intact':
      return log.info('the redirect is in force');
    case 'lost':
      return log.error(
        { problem: redirect.problem },
        'the redirect is not in force: what the gate lets by reaches the app without the proxy',
      );
    default:
      return unreachable(redirect);
  }
}
