/** Tables and their changes as sidecars get them, and as they say the same or not. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import {
  applyChange,
  type Cluster,
  clusterChanges,
  createCompiler,
  readInjectorFrame,
  readTable,
  type Table,
  type TableChange,
  tableJson,
} from '../../../policy/index.ts';
import { changeBetween } from '../../builders/table_frames.ts';

/** The revisions that a change leads from and to. */
interface Revisions {
  readonly from: number;
  readonly revision: number;
}

/** A value as JSON brings it. */
export function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** A table that went over the wire. */
export function overTheWire(table: Table): Table {
  return readTable(asJson(tableJson(table)));
}

/** A change that went over the wire in a frame. */
export function changeOverTheWire(change: TableChange): TableChange {
  const frame = readInjectorFrame(asJson({ type: 'change', change }));
  if (frame.type !== 'change') throw new Error(`a ${frame.type} came of a change`);
  return frame.change;
}

/** What a change that went over the wire makes of a table. */
export function changedTable(table: Table, change: TableChange): ReturnType<typeof applyChange> {
  return applyChange(table, changeOverTheWire(change));
}

/** All that a table says, as plain data: its maps compare by what is in them, and its policies by their order too. */
export function saidBy(table: Table): object {
  const { ingress, egress, policies } = table;
  return { ...tableJson(table), order: [...policies.keys()], ingress, egress };
}

/** Two tables say the same. As `toEqual`, which is slow: it is asked where they differ, and then says how. */
export function expectSameTable(found: Table, expected: Table): void {
  const [one, other] = [saidBy(found), saidBy(expected)];
  if (!isDeepStrictEqual(one, other)) expect(one).toEqual(other);
}

/** Whether a change says nothing but its revisions. */
export function isEmpty(change: TableChange): boolean {
  const { schema: _, from: __, revision: ___, ...parts } = change;
  return Object.keys(parts).length === 0;
}

/**
 * What leads from a pod's table in one cluster to its table in another, as an injector finds it; undefined when they say the
 * same. A table that differs though the compiler says that it does not is an error.
 */
export function changeOf(
  before: Cluster,
  after: Cluster,
  key: string,
  { from, revision }: Revisions,
): TableChange | undefined {
  const compiler = createCompiler(before);
  compiler.follow(key);
  const held = compiler.compile(key, from);
  for (const change of clusterChanges(before, after)) compiler.apply(change, 'found');
  const { touched } = compiler.commit();
  const change = changeBetween(held, compiler.compile(key, revision));
  if (isEmpty(change)) return undefined;
  if (!touched.has(key)) throw new Error(`the table of ${key} has changed, and the compiler does not say so`);
  return change;
}
