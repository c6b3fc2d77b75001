/** How much a table or a delta carries, in entries: a measure of its size that does not depend on the wire form. */
import type { DirectionTable, GroupDelta, Table, TableDelta } from '../policy/table.ts';

/** Entries of a table: rules, addresses in groups, pods and namespaces of the directory, virtual ports and backends. */
export function tableWeight(table: Table): number {
  let weight = directionWeight(table.ingress) + directionWeight(table.egress);
  for (const id in table.groups) weight += 1 + (table.groups[id]?.members.length ?? 0);
  for (const key in table.services) weight += 1 + (table.services[key]?.backends.length ?? 0);
  return weight + Object.keys(table.pods).length + Object.keys(table.namespaces).length;
}

/** Entries of a delta, counted as `tableWeight` counts them; a removal counts as one. */
export function deltaWeight(delta: TableDelta): number {
  let weight = directionWeight(delta.ingress) + directionWeight(delta.egress);
  for (const group of Object.values(delta.groups ?? {})) weight += 1 + groupDeltaWeight(group);
  for (const port of Object.values(delta.services ?? {})) weight += 1 + (port?.backends.length ?? 0);
  return weight + Object.keys(delta.pods ?? {}).length + Object.keys(delta.namespaces ?? {}).length;
}

function directionWeight(direction: DirectionTable | undefined): number {
  let weight = direction?.isolating.length ?? 0;
  for (const rule of direction?.rules ?? []) weight += 1 + rule.ports.length + rule.peers.length;
  return weight;
}

function groupDeltaWeight(group: GroupDelta): number {
  switch (group.kind) {
    case 'set':
      return group.group.members.length;
    case 'members':
      return group.added.length + group.removed.length;
    case 'removed':
      return 0;
  }
}
