/** The copy on disk says what the table and its changes say, in pieces that are small. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PersistentMap } from '../../../../common/persistent_map.ts';
import {
  type AddressGroup,
  changeText,
  type Labels,
  readChangeFile,
  readTableFile,
  TABLE_SCHEMA,
  type Table,
  tableJson,
  tableText,
} from '../../../../policy/index.ts';
import { changeBetween } from '../../../builders/table_frames.ts';
import { admittingGroup, groupOf, table } from '../../../builders/tables.ts';
import { asJson, expectSameTable } from '../table_updates.ts';
import { history, tablesOf } from './histories.ts';

const FILE = 'table.json';
const LONGEST_PIECE = 1_000;

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

const textOf = (one: Table) => [...tableText(one)].join('');

test('tables and changes of random clusters are read as they were', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(history, (past) => {
      if (past === undefined) return;
      let before: Table | undefined;
      for (const one of tablesOf(past, true)) {
        expect(JSON.parse(textOf(one))).toEqual(asJson(tableJson(one)));
        expectSameTable(readTableFile(textOf(one), FILE), one);
        if (before !== undefined) {
          const change = changeBetween(before, one);
          expect(readChangeFile([...changeText(change)].join(''), FILE)).toEqual(asJson(change));
        }
        before = one;
      }
    }),
    { numRuns: 100 },
  );
});

test('a table without anything, and keys that objects have by themselves', () => {
  const bare = table({ revision: 1 });
  expect(textOf(bare)).toBe(JSON.stringify(tableJson(bare)));
  const ports = [{ name: 'web', port: 80, protocol: 'TCP' as const }];
  const group: AddressGroup = {
    ...groupOf({ '10.0.0.1': 'a' }),
    podSelector: { matchLabels: JSON.parse('{"__proto__":"b"}') as Labels, matchExpressions: [] },
    ports: PersistentMap.from([['10.0.0.1', ports]]),
  };
  const groups = new Map<string, AddressGroup>([
    ['__proto__', group],
    ['g', group],
    ['constructor', { members: group.members }],
  ]);
  const odd = { ...admittingGroup(bare, ['ingress'], group), groups };
  expect(textOf(odd)).toBe(JSON.stringify(tableJson(odd)));
  expectSameTable(readTableFile(textOf(odd), FILE), odd);
  const change = { schema: TABLE_SCHEMA, from: 1, revision: 2, groups: { a: null }, services: {} } as const;
  expect(readChangeFile([...changeText(change)].join(''), FILE)).toEqual(change);
});

test('no piece is long, however many members there are', () => {
  const addresses = Array.from({ length: 50_000 }, (_, i) => `10.${i >> 14}.${(i >> 7) & 127}.${i & 127}`);
  const group = groupOf(Object.fromEntries(addresses.map((address) => [address, 'tag'])));
  const pieces = [...tableText(admittingGroup(table({ revision: 1 }), ['ingress', 'egress'], group))];
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(LONGEST_PIECE);
});
