/** Plans one table after the other; what a table shares with the one before is not worked out again. */
import type { Table } from '../../../policy/index.ts';
import { DirectionPlanner } from './direction_planner.ts';
import { type GatePlan, socketElement } from './plan.ts';
import type { Steps } from './steps.ts';

/** Plans the tables of one pod. */
export class GatePlanner {
  readonly #ingress = new DirectionPlanner('ingress');
  readonly #egress: DirectionPlanner;

  /** @param untranslated as `ServicePlanner` has it */
  constructor(untranslated?: string) {
    this.#egress = new DirectionPlanner('egress', untranslated);
  }

  /**
   * The plan of a table. Source: `spec.ingress` and `spec.egress` of the policies in it. One table at a time: a plan is finished
   * before the next one begins.
   */
  *plan(table: Table): Steps<GatePlan> {
    return {
      revision: table.revision,
      ingress: yield* this.#ingress.plan(table),
      egress: yield* this.#egress.plan(table),
      injectors: (table.subject.injectors ?? []).map(socketElement),
      nodeIPs: table.subject.nodeIPs,
      ownIPs: table.subject.ips,
    };
  }
}
