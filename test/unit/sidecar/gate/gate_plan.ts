/** The plan of a single table, worked out without one before it. */
import type { Table } from '../../../../policy/index.ts';
import type { GatePlan } from '../../../../sidecar/gate/plan/plan.ts';
import { GatePlanner } from '../../../../sidecar/gate/plan/planner.ts';

/** The plan that a sidecar begins with. */
export function gatePlan(table: Table): GatePlan {
  return new GatePlanner().plan(table);
}
