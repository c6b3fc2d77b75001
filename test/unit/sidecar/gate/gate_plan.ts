/** Plans of tables, each worked out in one go. */
import type { PersistentMap } from '../../../../common/persistent_map.ts';
import type { Table } from '../../../../policy/index.ts';
import type { DirectionPlan, GatePlan } from '../../../../sidecar/gate/plan/plan.ts';
import { GatePlanner } from '../../../../sidecar/gate/plan/planner.ts';
import { atOnce } from '../../../../sidecar/gate/plan/steps.ts';

/** The plan that a sidecar begins with. */
export function gatePlan(table: Table): GatePlan {
  return atOnce(new GatePlanner().plan(table));
}

/** What a plan says, to be compared: its maps have no order, and may be split into other parts. */
export function said({ ingress, egress, ...others }: GatePlan): unknown {
  return { ...others, ingress: saidOf(ingress), egress: saidOf(egress) };
}

function saidOf({ accesses, pods, blocks, services, ...others }: DirectionPlan): unknown {
  return {
    ...others,
    accesses: entries(accesses),
    pods: { 4: entries(pods[4]), 6: entries(pods[6]) },
    blocks: { 4: entries(blocks[4]), 6: entries(blocks[6]) },
    services: { ...services, ports: entries(services.ports), mixed: entries(services.mixed) },
  };
}

function entries<V>(map: PersistentMap<V>): ReadonlyMap<string, V> {
  return new Map(map);
}
