/** What follows from the rules of a direction alone. It lasts as long as the rules do. */

import type { Direction, TablePort, TableRule } from '../../../policy/index.ts';
import { type Family, type RuleBlock, RuledRanges } from './address_ranges.ts';
import { type RuleSet, type RuleSetBounds, RuleSets } from './rule_sets.ts';
import { Pace, type Steps } from './steps.ts';

/** The rules of one direction, ready for addresses to be looked up. */
export interface RulesView {
  /** What the view is made of. */
  readonly rules: readonly TableRule[];
  readonly sets: RuleSets;
  /** Rules without peers: they admit everybody. */
  readonly everybody: RuleSet;
  /** By the id of the group that rules ask for. */
  readonly byGroup: ReadonlyMap<string, RuleSet>;
  readonly ranges: Readonly<Record<Family, RuledRanges>>;
  /** Whether ports have names that stand for ports of the peer. */
  readonly namesPorts: boolean;
}

/** The view of some rules. */
export function* viewOf(
  direction: Direction,
  rules: readonly TableRule[],
  bounds: RuleSetBounds,
): Steps<RulesView> {
  const sets = new RuleSets(
    rules.map(({ ports }) => ports),
    bounds,
  );
  const pace = new Pace();
  const byGroup = new Map<string, RuleSet>();
  for (const [ordinal, { peers }] of rules.entries()) {
    for (const peer of peers) {
      if (peer.kind !== 'group') continue;
      const known = byGroup.get(peer.group) ?? sets.empty;
      byGroup.set(peer.group, sets.changed(known, sets.classOf(ordinal), true));
      if (pace.isDue()) yield;
    }
  }
  const everybody = rules.flatMap((rule, ordinal) => (rule.peers.length === 0 ? [ordinal] : []));
  const blocks = blocksOf(rules);
  return {
    rules,
    sets,
    everybody: sets.of(everybody),
    byGroup,
    ranges: {
      4: yield* RuledRanges.of(4, blocks, sets, everybody),
      6: yield* RuledRanges.of(6, blocks, sets, everybody),
    },
    namesPorts: direction === 'egress' && rules.some(({ ports }) => ports.some(isNamed)),
  };
}

/** Whether two lists have the same rules: policies that have not changed are the same objects in the next table. */
export function haveSameRules(a: readonly TableRule[], b: readonly TableRule[]): boolean {
  return a === b || (a.length === b.length && a.every((rule, ordinal) => rule === b[ordinal]));
}

function blocksOf(rules: readonly TableRule[]): readonly RuleBlock[] {
  return rules.flatMap(({ peers }, rule) =>
    peers.flatMap((peer) =>
      peer.kind === 'ipBlock' ? [{ cidr: peer.cidr, except: peer.except, rule }] : [],
    ),
  );
}

function isNamed({ from, name }: TablePort): boolean {
  return from === undefined && name !== undefined;
}
