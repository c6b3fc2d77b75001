/** Leads a followed table from one cluster to another, as an injector does. */
import {
  type Cluster,
  clusterChanges,
  createCompiler,
  TABLE_SCHEMA,
  type TableDelta,
} from '../../../policy/index.ts';

/** What leads from a pod's table in one cluster to its table in another; undefined when it is the same. */
export function deltaBetween(
  before: Cluster,
  after: Cluster,
  key: string,
  revisions: { from: number; revision: number },
): TableDelta | undefined {
  const compiler = createCompiler(before);
  compiler.follow(key);
  for (const change of clusterChanges(before, after)) compiler.apply(change, 'found');
  const update = compiler.take().tables.get(key);
  if (update === undefined) return undefined;
  if (update.kind !== 'changed') throw new Error(`the table of ${key} is ${update.kind}`);
  return { schema: TABLE_SCHEMA, ...revisions, ...update.changes };
}
