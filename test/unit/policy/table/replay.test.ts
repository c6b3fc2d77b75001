/** A replay leads where the deltas lead one by one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  applyDelta,
  createCompiler,
  isSubject,
  Replay,
  type Table,
  type TableDelta,
} from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { admitting, withGroup } from '../../sidecar/table/journaled_tables.ts';
import { deltasBetween } from '../table_updates.ts';

function replayed(table: Table, deltas: readonly TableDelta[]): Table {
  const replay = new Replay(table);
  for (const delta of deltas) replay.apply(delta);
  return replay.end();
}

test('in random clusters, there and back', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(apiCluster, apiCluster, (first, second) => {
      const [before, after] = [readCluster(first), readCluster(second)];
      const compiler = createCompiler(before);
      for (const [key, pod] of before.pods) {
        const later = after.pods.get(key);
        if (!isSubject(pod) || later === undefined || !isSubject(later)) continue;
        const there = deltasBetween(before, after, key, { from: 3, revision: 9 });
        const back = deltasBetween(after, before, key, { from: 9, revision: 12 });
        const whole = compiler.compile(key, 3);
        if (whole === undefined || there.length === 0 || back.length === 0) continue;
        const deltas = [...there, ...back];
        expect(replayed(whole, deltas)).toEqual(deltas.reduce(applyDelta, whole));
      }
    }),
    { numRuns: 100 },
  );
});

test('the table that it began with stays as it was', () => {
  const first = withGroup(1, ['10.0.0.1']);
  const last = replayed(first, [admitting(1, '10.0.0.2')]);
  expect(first).toEqual(withGroup(1, ['10.0.0.1']));
  expect(last).toEqual(withGroup(2, ['10.0.0.1', '10.0.0.2']));
});

const change = (changes: Partial<TableDelta>): TableDelta => ({
  schema: 1,
  from: 1,
  revision: 2,
  ...changes,
});
const { subject } = withGroup(1, []);

test.each<[string, TableDelta, string]>([
  ['a gap', change({ from: 0 }), 'TABLE_GAP'],
  ['another pod', change({ subject: { ...subject, name: 'other' } }), 'TABLE_MALFORMED'],
  ['no such pod', change({ pods: { '10.0.0.9': null } }), 'TABLE_MALFORMED'],
  ['no such namespace', change({ namespaces: { nowhere: null } }), 'TABLE_MALFORMED'],
  ['no such group', change({ groups: { h: { kind: 'removed' } } }), 'TABLE_MALFORMED'],
  [
    'no such member',
    change({ groups: { g: { kind: 'members', added: [], removed: ['10.0.0.9'] } } }),
    'TABLE_MALFORMED',
  ],
  ['a member twice', admitting(1, '10.0.0.1'), 'TABLE_MALFORMED'],
  ['a group that a rule needs', change({ groups: { g: { kind: 'removed' } } }), 'TABLE_MALFORMED'],
])('%s is refused, as by applyDelta', (_what, delta, code) => {
  const table = withGroup(1, ['10.0.0.1']);
  expect(() => applyDelta(table, delta)).toThrow(expect.objectContaining({ code }));
  expect(() => replayed(table, [delta])).toThrow(expect.objectContaining({ code }));
});
