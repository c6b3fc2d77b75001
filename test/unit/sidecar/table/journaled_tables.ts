/** Tables of the pod shop/api with one group, `g`, and the deltas that change it. */
import { TABLE_SCHEMA, type Table, type TableDelta } from '../../../../policy/index.ts';
import { table } from '../../../builders/tables.ts';

/** A table whose one rule admits the members of `g`. */
export function withGroup(revision: number, members: readonly string[]): Table {
  const policy = { namespace: 'shop', name: 'allow' };
  const rule = { policy, index: 0, ports: [], peers: [{ kind: 'group' as const, group: 'g' }] };
  return {
    ...table({ revision, allowed: [] }),
    ingress: { direction: 'ingress', isolating: [policy], rules: [rule] },
    groups: { g: { members } },
  };
}

/** Makes an address a member. The revision grows by one. */
export function admitting(from: number, address: string): TableDelta {
  const groups = { g: { kind: 'members' as const, added: [address], removed: [] } };
  return { schema: TABLE_SCHEMA, from, revision: from + 1, groups };
}

/** The member that comes with a revision. */
export function memberAt(revision: number): string {
  return `10.${(revision >> 16) & 255}.${(revision >> 8) & 255}.${revision & 255}`;
}

/** The table of a revision: each of its predecessors has brought a member. Members are kept, so that this takes no time. */
export function tableAt(revision: number): Table {
  const members = Array.from({ length: revision }, (_, i) => memberAt(i + 1));
  return withGroup(revision, members.sort());
}
