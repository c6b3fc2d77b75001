/**
 * Tables and changes as text, for the copy on disk, and what is read from there. The text of a table comes in pieces, so that who
 * writes a large one can let others work in between.
 */

import { SluiceError } from '../../common/errors.ts';
import { changeForm, policyJson, TABLE_SCHEMA, type TableChange, tableForm, tableOf } from './form.ts';
import type { AddressGroup, Table, TableGroups } from './table.ts';

/** Text, piece by piece. */
type Pieces = Iterable<string>;

/** The text of a table: what `JSON.stringify` makes of `tableJson`. A piece has one policy, one member or one virtual port at most. */
export function* tableText({ revision, subject, policies, groups, services }: Table): Generator<string> {
  yield JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
  yield* field('policies', recordText(policies, policyJson));
  yield* field('groups', groupsText(groups));
  yield* field('services', recordText(services));
  yield '}';
}

/** The text of a change, in one piece: it came in one frame. */
export function changeText(change: TableChange): Pieces {
  return [JSON.stringify(change)];
}

/**
 * Reads the text of a table from disk, which is refused whole.
 * @param file where it is from, for the message
 * @throws SluiceError `TABLE_MALFORMED` with the path of what is wrong
 */
export function readTableFile(json: string, file: string): Table {
  return tableOf(tableForm.readJson(json, 'table', (problem, cause) => fileRefused(file, problem, cause)));
}

/**
 * Reads the text of a change from disk. Whether it fits the table shows when it is applied.
 * @param file where it is from, for the message
 * @throws SluiceError `TABLE_MALFORMED` with the path of what is wrong
 */
export function readChangeFile(json: string, file: string): TableChange {
  return changeForm.readJson(json, 'change', (problem, cause) => fileRefused(file, problem, cause));
}

/** The error for a file that does not hold a table. */
export function fileRefused(file: string, problem: string, cause?: unknown): SluiceError {
  const next = 'it is not used, and the next table from the injector replaces it';
  return new SluiceError('TABLE_MALFORMED', `${file}: ${problem}; ${next}`, { cause });
}

/** A field after the first one of an object. */
function* field(name: string, value: Pieces): Generator<string> {
  yield `,"${name}":`;
  yield* value;
}

function* groupsText(groups: TableGroups): Generator<string> {
  let before = '{';
  for (const [id, group] of groups) {
    yield `${before}${JSON.stringify(id)}:`;
    yield* groupText(group);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

function* groupText({ members, ports, ...test }: AddressGroup): Generator<string> {
  const own = JSON.stringify(test).slice(0, -1);
  yield own === '{' ? '{"members":' : `${own},"members":`;
  yield* recordText(members);
  if (ports !== undefined) yield* field('ports', recordText(ports));
  yield '}';
}

/** @param json what JSON says of a value; absent: the value itself */
function* recordText<T>(
  entries: Iterable<readonly [string, T]>,
  json?: (value: T) => unknown,
): Generator<string> {
  let before = '{';
  for (const [key, value] of entries) {
    // One piece, since each takes its time: a table may have 100,000 of them.
    yield `${before}${JSON.stringify(key)}:${JSON.stringify(json === undefined ? value : json(value))}`;
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}
