/** The copy on disk says what the table and its deltas say, in pieces that are small. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createCompiler,
  deltaText,
  isSubject,
  readDeltaFile,
  readTableFile,
  tableText,
} from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { table } from '../../../builders/tables.ts';
import { deltasBetween } from '../table_updates.ts';

const FILE = 'table.json';
const LONGEST_PIECE = 100_000;

test('tables and deltas of random clusters are read as they were', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(apiCluster, apiCluster, (first, second) => {
      const [before, after] = [readCluster(first), readCluster(second)];
      const compiler = createCompiler(before);
      for (const [key, pod] of before.pods) {
        if (!isSubject(pod)) continue;
        const whole = compiler.compile(key, 3);
        if (whole === undefined) continue;
        expect(readTableFile([...tableText(whole)].join(''), FILE)).toEqual(whole);
        const later = after.pods.get(key);
        if (later === undefined || !isSubject(later)) continue;
        for (const delta of deltasBetween(before, after, key, { from: 3, revision: 9 }))
          expect(readDeltaFile([...deltaText(delta)].join(''), FILE)).toEqual(delta);
      }
    }),
    { numRuns: 200 },
  );
});

test('a table without anything, and keys that objects have by themselves', () => {
  const own = JSON.parse('{"__proto__":{"a":"b"},"constructor":{}}') as Record<
    string,
    Record<string, string>
  >;
  const odd = { ...table({ revision: 1 }), namespaces: own };
  expect(readTableFile([...tableText(odd)].join(''), FILE)).toEqual(odd);
  const delta = { schema: 1 as const, from: 1, revision: 2, namespaces: { a: null, ...own }, groups: {} };
  expect(readDeltaFile([...deltaText(delta)].join(''), FILE)).toEqual(delta);
});

test('no piece is long, however large the table is', () => {
  const members = Array.from({ length: 50_000 }, (_, i) => `10.${i >> 14}.${(i >> 7) & 127}.${i & 127}`);
  const groups = { g: { members: members.sort() } };
  const removed = { g: { kind: 'members' as const, added: [], removed: members } };
  const pieces = [
    ...tableText({ ...table({ revision: 1 }), groups }),
    ...deltaText({ schema: 1, from: 1, revision: 2, groups: removed }),
  ];
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(LONGEST_PIECE);
});
