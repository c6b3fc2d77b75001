/**
 * Tables and deltas as text, for the copy on disk, and what is read from there. Nothing else knows how they become text there.
 * A text comes in pieces, so that who writes a large table can let others work in between; the table must not change meanwhile.
 */

import { SluiceError, unreachable } from '../../common/errors.ts';
import { deltaForm, tableForm } from './form.ts';
import type { AddressGroup, DirectionTable, GroupDelta, Table, TableDelta } from './table.ts';

/** Addresses in one piece of a text: some 20 kB. */
const ADDRESSES_AT_ONCE = 1_000;

/** Text, piece by piece. */
type Pieces = Iterable<string>;

/** The text of a table: what `JSON.stringify` says, with the fields in another order. */
export function* tableText(table: Table): Generator<string> {
  const { ingress, egress, groups, pods, namespaces, services, ...own } = table;
  yield JSON.stringify(own).slice(0, -1);
  yield* field('ingress', directionText(ingress));
  yield* field('egress', directionText(egress));
  yield* field('groups', recordText(groups, groupText));
  yield* field('pods', recordText(pods, plainText));
  yield* field('namespaces', recordText(namespaces, plainText));
  yield* field('services', recordText(services, plainText));
  yield '}';
}

/** The text of a delta: what `JSON.stringify` says, with the fields in another order. */
export function* deltaText(delta: TableDelta): Generator<string> {
  const { ingress, egress, groups, pods, namespaces, services, ...own } = delta;
  yield JSON.stringify(own).slice(0, -1);
  if (ingress !== undefined) yield* field('ingress', directionText(ingress));
  if (egress !== undefined) yield* field('egress', directionText(egress));
  if (groups !== undefined) yield* field('groups', recordText(groups, groupDeltaText));
  if (pods !== undefined) yield* field('pods', recordText(pods, plainText));
  if (namespaces !== undefined) yield* field('namespaces', recordText(namespaces, plainText));
  if (services !== undefined) yield* field('services', recordText(services, plainText));
  yield '}';
}

/**
 * Reads the text of a table from disk, which is refused whole.
 * @param file where it is from, for the message
 * @throws SluiceError `TABLE_MALFORMED` with the path of what is wrong
 */
export function readTableFile(json: string, file: string): Table {
  return tableForm.readJson(json, 'table', (problem, cause) => fileRefused(file, problem, cause));
}

/**
 * Reads the text of a delta from disk. Whether it fits the table shows when it is applied.
 * @param file where it is from, for the message
 * @throws SluiceError `TABLE_MALFORMED` with the path of what is wrong
 */
export function readDeltaFile(json: string, file: string): TableDelta {
  return deltaForm.readJson(json, 'delta', (problem, cause) => fileRefused(file, problem, cause));
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

function* directionText({ rules, ...own }: DirectionTable): Generator<string> {
  yield JSON.stringify(own).slice(0, -1);
  yield* field('rules', listText(rules, 1)); // a rule may list many peers
  yield '}';
}

function* groupText({ members, ...own }: AddressGroup): Generator<string> {
  yield '{"members":';
  yield* listText(members, ADDRESSES_AT_ONCE);
  const others = JSON.stringify(own);
  yield others === '{}' ? '}' : `,${others.slice(1)}`;
}

function* groupDeltaText(change: GroupDelta): Generator<string> {
  switch (change.kind) {
    case 'set':
      yield '{"kind":"set","group":';
      yield* groupText(change.group);
      yield '}';
      return;
    case 'members':
      yield '{"kind":"members","added":';
      yield* listText(change.added, ADDRESSES_AT_ONCE);
      yield* field('removed', listText(change.removed, ADDRESSES_AT_ONCE));
      yield '}';
      return;
    case 'removed':
      yield JSON.stringify(change);
      return;
    default:
      return unreachable(change);
  }
}

function plainText(value: unknown): Pieces {
  return [JSON.stringify(value)];
}

function* recordText<T>(entries: Readonly<Record<string, T>>, text: (value: T) => Pieces): Generator<string> {
  let before = '{';
  // Without the pairs of `Object.entries`: the list of all keys is the longest step of a large table as it is.
  for (const key of Object.keys(entries)) {
    const value = entries[key];
    if (value === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* text(value);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

/** @param atOnce how many items one piece has */
function* listText(items: readonly unknown[], atOnce: number): Generator<string> {
  yield '[';
  for (let i = 0; i < items.length; i += atOnce) {
    const text = JSON.stringify(items.slice(i, i + atOnce)).slice(1, -1);
    yield i === 0 ? text : `,${text}`;
  }
  yield ']';
}
