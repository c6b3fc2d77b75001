/** Changes of the plan that only touch elements of peers. Most changes of a cluster do, beside those of Services. */
import { addressBytes, CHAINS_MAX, ELEMENTS_MAX, type ElementChange } from '../../kernel/index.ts';
import type { DirectionPlan, GatePlan } from '../plan/index.ts';
import { changedPairs } from '../plan/index.ts';
import { chainName, goneChains, newChains, WAYS, type Way } from './chains.ts';
import { translates } from './service_rules.ts';

/** What to tell the kernel. */
export interface ElementsOnly {
  readonly changes: readonly ElementChange[];
  /** To be removed afterwards. */
  readonly goneChains: readonly string[];
}

const FAMILIES = [4, 6] as const;

/** The change from the plan in force to the next; `undefined` where rules change too, or very much does. */
export function elementsOnly(before: GatePlan, after: GatePlan): ElementsOnly | undefined {
  const isSameFrame =
    before.nodeIPs.join() === after.nodeIPs.join() &&
    before.ownIPs.join() === after.ownIPs.join() &&
    before.injectors.join() === after.injectors.join();
  if (!isSameFrame || !WAYS.every((way) => keepsRules(way, before[way.direction], after[way.direction])))
    return undefined;
  const changes = WAYS.flatMap((way) => wayChanges(way, before[way.direction], after[way.direction]));
  const gone = WAYS.flatMap((way) => goneChains(way, before[way.direction], after[way.direction]));
  const count = changes.reduce((sum, { removed, added }) => sum + removed.length + added.length, 0);
  if (count > ELEMENTS_MAX || gone.length > CHAINS_MAX) return undefined;
  return { changes, goneChains: gone };
}

function keepsRules(way: Way, before: DirectionPlan, after: DirectionPlan): boolean {
  if (before.isolated !== after.isolated || before.rest !== after.rest) return false;
  if (
    before.blocks !== after.blocks &&
    !FAMILIES.every((family) => sameMap(before.blocks[family], after.blocks[family]))
  )
    return false;
  // The hook that translates comes with the first backend and goes with the last.
  if (translates(before.services) !== translates(after.services)) return false;
  return newChains(way, before, after).length === 0;
}

function sameMap(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): boolean {
  return before.size === after.size && [...before].every(([key, value]) => after.get(key) === value);
}

function wayChanges(way: Way, before: DirectionPlan, after: DirectionPlan): readonly ElementChange[] {
  return FAMILIES.map((family): ElementChange => {
    const { added, removed } = changedPairs(before.pods[family], after.pods[family]);
    return {
      object: `${way.name}_pods${family}`,
      removed: removed.map(([address]) => addressBytes(address)),
      added: added.map(([address, id]) => ({ key: addressBytes(address), chain: chainName(way, id) })),
    };
  });
}
