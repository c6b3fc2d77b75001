/** The chains of the gate that come and go with the plan: one for each access. */

import type { DirectionPlan } from '../plan/index.ts';
import { type Access, isAllPorts, rangeText } from '../plan/index.ts';

/** One direction in the ruleset. Its objects are named `<name>_...`. */
export interface Way {
  readonly name: 'in' | 'out';
  readonly direction: 'ingress' | 'egress';
  /** Which address of a packet is the peer's. */
  readonly peer: 'saddr' | 'daddr';
}

/** Both directions. */
export const WAYS: readonly Way[] = [
  { name: 'in', direction: 'ingress', peer: 'saddr' },
  { name: 'out', direction: 'egress', peer: 'daddr' },
];

/** The chain of an access. */
export function chainName({ name }: Way, id: string): string {
  return `${name}_${id}`;
}

/** The chains that come and go with the plan and that `before` does not have, by name. What is in them is in the name. */
export function newChains(
  way: Way,
  before: DirectionPlan | undefined,
  { accesses }: DirectionPlan,
): readonly (readonly [string, readonly string[]])[] {
  const found: (readonly [string, readonly string[]])[] = [];
  if (before?.accesses !== accesses) {
    for (const [id, access] of accesses) {
      if (before?.accesses.has(id) !== true) found.push([chainName(way, id), accessRules(access, way.name)]);
    }
  }
  return found;
}

/** Names of the chains that `after` does not have any more. */
export function goneChains(way: Way, before: DirectionPlan, after: DirectionPlan): readonly string[] {
  const gone: string[] = [];
  if (before.accesses !== after.accesses) {
    for (const id of before.accesses.keys()) if (!after.accesses.has(id)) gone.push(chainName(way, id));
  }
  return gone;
}

function accessRules(access: Access, name: Way['name']): readonly string[] {
  const rules = [...access].map(([protocol, ranges]) => {
    const word = protocol.toLowerCase();
    if (ranges.some(isAllPorts)) return `meta l4proto ${word} accept`;
    return `${word} dport { ${ranges.map(rangeText).join(', ')} } accept`;
  });
  return [...rules, `goto ${name}_deny`];
}
