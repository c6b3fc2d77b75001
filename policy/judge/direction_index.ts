/** One direction of a table, indexed so that a verdict does not cost more with more rules. */

import type { DirectionTable } from '../table/index.ts';
import type { Decision } from '../verdict.ts';
import { BlockIndex } from './block_index.ts';
import { PortIndex } from './port_index.ts';

/** The index of one direction. It and its decisions are made once for each `DirectionTable` object, and used for every verdict. */
export interface DirectionIndex {
  /** Rules without a peer restriction. */
  readonly anyPeer: PortIndex;
  readonly groups: ReadonlyMap<string, PortIndex>;
  readonly blocks: BlockIndex;
  /** By ordinal. */
  readonly allowed: readonly Decision[];
  readonly denied: Decision;
}

function indexDirection(table: DirectionTable): DirectionIndex {
  const { direction, isolating, rules } = table;
  const resolveNames = direction === 'egress';
  const anyPeer = new PortIndex();
  const groups = new Map<string, PortIndex>();
  const blocks = new BlockIndex();
  for (const [ordinal, { ports, peers }] of rules.entries()) {
    if (peers.length === 0) anyPeer.add(ordinal, ports, resolveNames);
    for (const peer of peers) {
      if (peer.kind === 'ipBlock') {
        blocks.add(peer.cidr, peer.except, ordinal, ports, resolveNames);
        continue;
      }
      const group = groups.get(peer.group) ?? new PortIndex();
      groups.set(peer.group, group);
      group.add(ordinal, ports, resolveNames);
    }
  }
  return {
    anyPeer,
    groups,
    blocks,
    allowed: rules.map(({ policy, index }) => ({
      verdict: 'allow',
      direction,
      reason: 'rule',
      policy,
      rule: index,
    })),
    denied: { verdict: 'deny', direction, reason: 'no-rule', isolating },
  };
}

/** Indexes outlive a judge: most deltas leave a direction's rules as they are. Keyed by immutable objects. */
const indexes = new WeakMap<DirectionTable, DirectionIndex>();

/** The index of a direction, made on first use. */
export function directionIndex(table: DirectionTable): DirectionIndex {
  const known = indexes.get(table);
  if (known !== undefined) return known;
  const made = indexDirection(table);
  indexes.set(table, made);
  return made;
}
