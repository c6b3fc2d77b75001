/** Which change ended a flow: among the last ones, by the revisions and the names in the flow's record. */
import { expect, test } from 'vitest';
import type { FlowRecord, NamedChange } from '../../../../flows/index.ts';
import { ObjectChanges, PendingChanges } from '../../../../injector/changes/index.ts';
import type { ClusterKind } from '../../../../policy/index.ts';

const AT = '2026-11-30T10:00:00Z';

function change(kind: string, key: string, more: Partial<NamedChange> = {}): NamedChange {
  const [first = '', second] = key.split('/');
  return {
    kind,
    at: AT,
    ...(second === undefined ? { name: first } : { namespace: first, name: second }),
    ...more,
  };
}

/** Of shop/web to shop/db, which shop/db-clients had allowed at revision 10, and which ended by revision 20. */
const CUT: FlowRecord = {
  time: AT,
  direction: 'ingress',
  verdict: 'deny',
  reason: 'no-rule',
  end: 'policy-changed',
  isolating: ['shop/db-clients', 'shop/default-deny'],
  was: { policy: 'shop/db-clients', rule: 0, revision: 10 },
  protocol: 'TCP',
  src: { addr: '10.0.0.1', namespace: 'shop', pod: 'web' },
  dst: { addr: '10.0.0.2', port: 5432, namespace: 'shop', pod: 'db' },
  mode: 'enforce',
  revision: 20,
};

/** Changes by their revisions, since revision 10. */
function after(...noted: readonly (readonly [number, ...NamedChange[]])[]): ObjectChanges {
  const changes = new ObjectChanges();
  changes.begin(10);
  for (const [revision, ...some] of noted) changes.note({ revision, changes: some });
  return changes;
}

test('the policy that had allowed the flow goes before all others', () => {
  const edit = change('NetworkPolicy', 'shop/db-clients', { generation: 4, manager: 'kubectl' });
  const others = [change('NetworkPolicy', 'shop/default-deny'), change('Pod', 'shop/web')];
  expect(after([15, edit, ...others]).causeOf(CUT)).toEqual(edit);
});

test.each<[string, string, Partial<FlowRecord>]>([
  ['NetworkPolicy', 'shop/default-deny', { was: { reason: 'not-isolated', revision: 10 } }],
  ['Pod', 'shop/web', {}],
  ['Pod', 'shop/db', {}],
  ['Namespace', 'shop', {}],
  ['Node', 'node-1', { was: { reason: 'own-node', revision: 10 } }],
  ['Pod', 'shop/web', { end: 'peer-replaced', verdict: 'allow', reason: 'rule' }],
  ['NetworkPolicy', 'shop/new', { end: 'service-unresolved', direction: 'egress', verdict: 'allow' }],
  [
    'Service',
    'shop/db',
    { end: 'service-unresolved', direction: 'egress', dst: { addr: '10.0.0.2', service: 'shop/db' } },
  ],
])('a change of %s %s is the cause', (kind, key, more) => {
  const stranger = [
    change('NetworkPolicy', 'other/allow'),
    change('Pod', 'other/web'),
    change('Namespace', 'other'),
  ];
  const found = after([15, ...stranger, change(kind, key)]).causeOf({ ...CUT, ...more });
  expect(found).toEqual(change(kind, key));
});

test('of several changes of one object it is the last before the cut', () => {
  const generations = [9, 10, 11, 20, 21].map(
    (revision) => [revision, change('NetworkPolicy', 'shop/db-clients', { generation: revision })] as const,
  );
  expect(after(...generations).causeOf(CUT)?.generation).toBe(20);
});

test('nothing is claimed of what the record does not name, and of flows that no change has ended', () => {
  const strangers = after([15, change('NetworkPolicy', 'shop/other'), change('Pod', 'shop/cart')]);
  expect(strangers.causeOf(CUT)).toBeUndefined();
  const edit = change('NetworkPolicy', 'shop/db-clients');
  expect(after([15, edit]).causeOf({ ...CUT, end: 'dropped' })).toBeUndefined();
  expect(after([10, edit], [21, edit]).causeOf(CUT)).toBeUndefined();
  expect(new ObjectChanges().causeOf(CUT)).toBeUndefined();
});

test('nothing is claimed of a flow that a table of another run or replica had allowed', () => {
  const edit = change('NetworkPolicy', 'shop/db-clients');
  const was = { policy: 'shop/db-clients', rule: 0 };
  const changes = after([15, edit]);
  expect(changes.causeOf({ ...CUT, was: { ...was, revision: 3 } })).toBeUndefined();
  expect(changes.causeOf({ ...CUT, was: { ...was, revision: 9 } })).toBeUndefined();
  expect(changes.causeOf({ ...CUT, was: { ...was, revision: 10 } })).toEqual(edit);
  expect(after([30, edit]).causeOf({ ...CUT, was: { ...was, revision: 3 }, revision: 5 })).toBeUndefined();
});

test('where the table before is not known, only the very revision of the record is looked at', () => {
  const { was: _, ...cut } = CUT;
  const edit = change('NetworkPolicy', 'shop/db-clients');
  expect(after([19, edit]).causeOf(cut)).toBeUndefined();
  expect(after([19], [20, edit]).causeOf(cut)).toEqual(edit);
});

test('a revision has the changes that came in force with it', () => {
  const changes = after(
    [15, change('Pod', 'shop/a')],
    [16, change('Pod', 'shop/b'), change('Node', 'node-1')],
  );
  expect(changes.changeOf(16)).toEqual([change('Pod', 'shop/b'), change('Node', 'node-1')]);
  expect(changes.changeOf(17)).toEqual([]);
});

test('of each kind the last 1,000 stay at least, and twice as many at most: pods do not push out policies', () => {
  const changes = after([11, change('NetworkPolicy', 'shop/db-clients')]);
  for (let revision = 12; revision < 10_000; revision += 1)
    changes.note({ revision, changes: [change('Pod', `shop/p${revision}`)] });
  const kept = (revision: number): boolean => changes.changeOf(revision).length > 0;
  expect(kept(9_000)).toBe(true);
  expect(kept(7_999)).toBe(false);
  expect(changes.causeOf(CUT)?.name).toBe('db-clients');
});

test('policies that wait for their turn come in force later', () => {
  const pending = new PendingChanges();
  const add = (kind: ClusterKind, key: string) =>
    pending.add({ kind, key, object: undefined }, undefined, new Date(AT));
  add('NetworkPolicy', 'busy/a');
  add('NetworkPolicy', 'shop/b');
  add('Pod', 'busy/p');
  const keys = (revision: number, waiting: readonly string[]) =>
    pending.commit(revision, new Set(waiting)).changes.map(({ namespace, name }) => `${namespace}/${name}`);
  expect(keys(1, ['busy'])).toEqual(['shop/b', 'busy/p']);
  expect(keys(2, [])).toEqual(['busy/a']);
  expect(keys(3, [])).toEqual([]);
});

test('what has come is bounded, and of one object the last change counts', () => {
  const pending = new PendingChanges();
  for (let number = 0; number < 3_000; number += 1)
    pending.add({ kind: 'Pod', key: `shop/p${number}`, object: undefined }, undefined, new Date(AT));
  pending.add(
    { kind: 'Pod', key: 'shop/p2999', object: undefined },
    { manager: 'kubelet', at: AT },
    new Date(),
  );
  const { changes } = pending.commit(1, new Set());
  expect(changes).toHaveLength(1_000);
  expect(changes.at(-1)).toEqual(change('Pod', 'shop/p2999', { manager: 'kubelet', deleted: true }));
});
