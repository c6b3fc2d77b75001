/** What leads from any table of a pod to any other: it says all that differs, shares the rest, and is refused whole. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  applyChange,
  createCompiler,
  isSubject,
  TABLE_SCHEMA,
  type Table,
  type TableChange,
} from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { changeBetween } from '../../../builders/table_frames.ts';
import { changedTable, changeOverTheWire, expectSameTable, overTheWire, saidBy } from '../table_updates.ts';
import { expectOthersUntouched } from '../untouched.ts';
import { history, tablesOf } from './histories.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

/** Parts that a change does not name are the same objects, and so are those that it names and that say the same. */
function expectShared(before: Table, after: Table, change: TableChange): void {
  for (const part of ['subject', 'policies', 'groups'] as const)
    if (change[part] === undefined) expect(after[part]).toBe(before[part]);
  if (change.services === undefined) expect(after.services).toBe(before.services);
  for (const [key, policy] of after.policies) {
    const known = before.policies.get(key);
    if (change.policies?.[key] === undefined || isDeepStrictEqual(policy, known)) expect(policy).toBe(known);
  }
  for (const direction of ['ingress', 'egress'] as const)
    if (isDeepStrictEqual(after[direction], before[direction]))
      expect(after[direction]).toBe(before[direction]);
  for (const [id, group] of after.groups) {
    const [known, one] = [before.groups.get(id), change.groups?.[id]];
    if (one === undefined) expect(group).toBe(known);
    else if (one?.members !== undefined) {
      if (Object.keys(one.members).length === 0) expect(group.members).toBe(known?.members);
      if (one.ports === undefined) expect(group.ports).toBe(known?.ports);
    }
  }
}

/** Whether nothing but members of groups, and their ports, changes. */
function isOfMembersOnly({
  schema: _,
  from: __,
  revision: ___,
  groups = {},
  ...others
}: TableChange): boolean {
  return (
    Object.keys(others).length === 0 &&
    Object.values(groups).every((one) => one !== null && one.group === undefined)
  );
}

it.each([true, false])(
  'leads from each table to the next, names all that it touches, and leaves the rest alone; tables that share parts: %j',
  (sharing) => {
    fc.assert(
      fc.property(history, (past) => {
        if (past === undefined) return;
        const [first, ...others] = tablesOf(past, sharing);
        if (first === undefined) return;
        let sent = first;
        let held = overTheWire(first);
        for (const next of others) {
          const change = changeOverTheWire(changeBetween(sent, next));
          const { table, touched } = applyChange(held, change);
          expectSameTable(table, next);
          expectSameTable(held, sent);
          expectShared(held, table, change);
          expect(touched !== undefined).toBe(isOfMembersOnly(change));
          expectOthersUntouched(held, table, touched);
          [sent, held] = [next, table];
        }
      }),
      { numRuns: 60 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

it('touches a list of addresses where members come, go, or are other pods', () => {
  fc.assert(
    fc.property(
      apiCluster.map((objects) => readCluster(objects)),
      fc.array(fc.record({ pick: fc.nat(), address: fc.nat(), tag: fc.constantFrom('one', 'two', null) }), {
        minLength: 1,
        maxLength: 5,
      }),
      (cluster, edits) => {
        const key = [...cluster.pods].find(([, pod]) => isSubject(pod))?.[0];
        if (key === undefined) return;
        const table = createCompiler(cluster).compile(key, 1);
        const ids = [...table.groups.keys()];
        if (ids.length === 0) return;
        const groups: Record<string, { members: Record<string, string | null> }> = {};
        for (const { pick, address, tag } of edits) {
          const id = ids[pick % ids.length] ?? '';
          const known = [...(table.groups.get(id)?.members.keys() ?? [])];
          const pool = tag === null ? known : [...known, '10.0.0.77', 'fd00::77'];
          const member = pool[address % Math.max(pool.length, 1)];
          if (member === undefined) continue;
          const group = groups[id] ?? { members: {} };
          groups[id] = group;
          group.members[member] = tag;
        }
        const change: TableChange = { schema: TABLE_SCHEMA, from: 1, revision: 2, groups };
        const { table: after, touched } = changedTable(table, change);
        const named = Object.values(groups).flatMap(({ members }) => Object.keys(members));
        expect(touched).toEqual(new Set(named));
        expectOthersUntouched(table, after, touched);
      },
    ),
    { numRuns: 60 },
  );
});

type Parts = Omit<TableChange, 'schema' | 'from' | 'revision'>;

/** A policy whose group no table has. */
const STRANGE: NonNullable<TableChange['policies']>[string] = {
  policy: { namespace: 'z', name: 'strange' },
  ingress: [{ index: 0, ports: [], peers: [{ kind: 'group', group: 'nobody has it' }] }],
};

/** What is wrong with a change: each makes any change one that does not fit any table. */
const FAULTS: readonly ((parts: Parts, table: Table) => Parts)[] = [
  (parts) => ({ ...parts, policies: { ...parts.policies, 'z/nobody': null } }),
  (parts) => ({ ...parts, policies: { ...parts.policies, 'z/strange': STRANGE } }),
  (parts) => ({ ...parts, groups: { ...parts.groups, nobody: null } }),
  (parts) => ({ ...parts, groups: { ...parts.groups, nobody: { members: { '10.0.0.1': 'u' } } } }),
  (parts) => ({ ...parts, groups: { ...parts.groups, nobody: { members: {}, ports: {} } } }),
  (parts, { groups }) => {
    const changed = [...groups.keys()].map((id) => [id, { members: { '192.0.2.9': null } }] as const);
    return { ...parts, groups: { ...parts.groups, ...Object.fromEntries(changed), nobody: null } };
  },
  (parts) => ({ ...parts, services: { ...parts.services, '192.0.2.1 TCP/1': null } }),
  (parts, { subject }) => ({ ...parts, subject: { ...subject, name: `${subject.name}x` } }),
  (parts, { subject }) => ({ ...parts, subject: { ...subject, namespace: 'z' } }),
];

it('is refused whole when any of it does not fit, and all stays as it was', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(...FAULTS), (past, spoil) => {
      if (past === undefined) return;
      const [before, after] = tablesOf(past, true);
      if (before === undefined || after === undefined) return;
      const held = overTheWire(before);
      const [parts, groups, said] = [{ ...held }, [...held.groups], saidBy(held)];
      const { schema, from, revision, ...good } = changeBetween(before, after);
      const spoilt = changeOverTheWire({ schema, from, revision, ...spoil(good, before) });
      expect(() => applyChange(held, spoilt)).toThrowError(
        expect.objectContaining({ code: 'TABLE_MALFORMED' }),
      );
      const late = changeOverTheWire({ schema, from: from + 7, revision: revision + 9, ...good });
      expect(() => applyChange(held, late)).toThrowError(expect.objectContaining({ code: 'TABLE_GAP' }));
      for (const [field, part] of Object.entries(parts)) expect(held[field as keyof Table]).toBe(part);
      for (const [id, group] of groups) expect(held.groups.get(id)).toBe(group);
      expect(saidBy(held)).toEqual(said);
      // What fits is taken afterwards all the same.
      expectSameTable(applyChange(held, changeOverTheWire(changeBetween(before, after))).table, after);
    }),
    { numRuns: 60 },
  );
});
