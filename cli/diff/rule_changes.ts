/**
 * How a rule of a policy is on the other side of a comparison. Rules have no names, and their numbers change as others come and go:
 * they are compared by what they say.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Cluster, Direction, NetworkPolicy } from '../../policy/index.ts';

/** How a policy, or a rule of one, is on the one side and on the other. */
export type HowChanged = 'added' | 'removed' | 'changed' | 'same';

/** One of the two sides. */
export type SideName = 'before' | 'after';

/** How a rule changes. */
export interface RuleChange {
  readonly how: HowChanged;
  /** The rule is as it was, and this field of its policy makes it count for others than before. */
  readonly field?: 'podSelector' | 'policyTypes';
}

/** A rule of one side. */
export interface RuleOfSide {
  readonly side: SideName;
  readonly policy: string;
  readonly direction: Direction;
  /** Index in `spec.ingress` or `spec.egress`. */
  readonly index: number;
}

/** Rules of a policy are compared once. */
export function createRuleChanges(before: Cluster, after: Cluster): (rule: RuleOfSide) => RuleChange {
  const known = new Map<string, Readonly<Record<SideName, Matches>>>();
  return ({ side, policy, direction, index }) => {
    const [was, is] = [before.policies.get(policy), after.policies.get(policy)];
    if (was === undefined) return { how: 'added' };
    if (is === undefined) return { how: 'removed' };
    const key = `${direction} ${policy}`;
    const matches = known.get(key) ?? matchesOf(was[direction], is[direction]);
    known.set(key, matches);
    const how = matches[side].get(index);
    if (how === undefined) return { how: side === 'before' ? 'removed' : 'added' };
    if (how === 'changed') return { how };
    if (was.policyTypes.includes(direction) !== is.policyTypes.includes(direction))
      return { how: 'changed', field: 'policyTypes' };
    if (!isDeepStrictEqual(was.podSelector, is.podSelector)) return { how: 'changed', field: 'podSelector' };
    return { how };
  };
}

type Rule = NetworkPolicy['ingress'][number];

/** By index: rules that the other side has, as they are or in another form. */
type Matches = ReadonlyMap<number, 'changed' | 'same'>;

/** Rules that say the same are one; of the others those of the same peers, then of the same ports, then of the same place. */
function matchesOf(was: readonly Rule[], is: readonly Rule[]): Readonly<Record<SideName, Matches>> {
  const before = new Map<number, 'changed' | 'same'>();
  const after = new Map<number, 'changed' | 'same'>();
  const numbered = (rules: readonly Rule[]) =>
    rules.map((rule, place) => ({ rule, index: rule.index ?? place }));
  const [old, now] = [numbered(was), numbered(is)];
  const match = (how: 'changed' | 'same', keyOf: (one: (typeof old)[number]) => string): void => {
    // The last is taken first, so that rules of one key keep their order.
    const open = Map.groupBy(old.filter(({ index }) => !before.has(index)).reverse(), keyOf);
    for (const one of now) {
      if (after.has(one.index)) continue;
      const other = open.get(keyOf(one))?.pop();
      if (other === undefined) continue;
      before.set(other.index, how);
      after.set(one.index, how);
    }
  };
  match('same', ({ rule: { peers, ports } }) => JSON.stringify([peers, ports]));
  match('changed', ({ rule: { peers } }) => JSON.stringify(peers));
  match('changed', ({ rule: { ports } }) => JSON.stringify(ports));
  match('changed', ({ index }) => `${index}`);
  return { before, after };
}
