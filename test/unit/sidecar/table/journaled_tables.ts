/** Tables of the pod shop/api with one group, `g`, and the changes of that. */
import { TABLE_SCHEMA, type Table, type TableChange } from '../../../../policy/index.ts';
import { admittingGroup, groupOf, table } from '../../../builders/tables.ts';

/** A table whose one rule admits the members of `g`. */
export function withGroup(revision: number, members: readonly string[]): Table {
  return admittingGroup(table({ revision }), ['ingress'], groupOf(tagged(members)));
}

/** Makes an address a member. The revision grows by one. */
export function admitting(from: number, address: string): TableChange {
  return changing(from, tagged([address]));
}

/** Changes members of `g`; `null`: it goes. The revision grows by one. */
export function changing(from: number, members: Readonly<Record<string, string | null>>): TableChange {
  return { schema: TABLE_SCHEMA, from, revision: from + 1, groups: { g: { members } } };
}

/** Members by address, with their tags. */
export function tagged(members: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(members.map((address) => [address, `tag-${address}`]));
}

/** The member that comes with a revision. */
export function memberAt(revision: number): string {
  return `10.${(revision >> 16) & 255}.${(revision >> 8) & 255}.${revision & 255}`;
}

/** The table of a revision: each of its predecessors has brought a member. Members are kept, so that this takes no time. */
export function tableAt(revision: number): Table {
  return withGroup(
    revision,
    Array.from({ length: revision }, (_, i) => memberAt(i + 1)),
  );
}
