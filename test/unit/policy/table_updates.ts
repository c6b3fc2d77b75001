/** Leads a followed table from one cluster to another, as an injector does. */
import {
  type Cluster,
  clusterChanges,
  createCompiler,
  TABLE_SCHEMA,
  type TableDelta,
} from '../../../policy/index.ts';

/** The revisions that deltas lead from and to; the last has the second one. */
interface Revisions {
  readonly from: number;
  readonly revision: number;
}

/**
 * What leads from a pod's table in one cluster to its table in another: what changes in groups, then what changes in the
 * pod's own rules. Empty when it is the same; `revision` is at least two above `from`.
 */
export function deltasBetween(
  before: Cluster,
  after: Cluster,
  key: string,
  { from, revision }: Revisions,
): readonly TableDelta[] {
  const compiler = createCompiler(before);
  compiler.follow(key);
  for (const change of clusterChanges(before, after)) compiler.apply(change, 'found');
  const shared = compiler.commit().tables.get(key);
  const own = compiler.reshape(key);
  if (own !== undefined && own.kind !== 'changed') throw new Error(`the table of ${key} is ${own.kind}`);
  const schema = TABLE_SCHEMA;
  if (shared === undefined || own === undefined)
    return [shared ?? own?.changes ?? []].flat().map((changes) => ({ schema, from, revision, ...changes }));
  return [
    { schema, from, revision: from + 1, ...shared },
    { schema, from: from + 1, revision, ...own.changes },
  ];
}

/** The same where one delta says it all; undefined when the table is the same. */
export function deltaBetween(
  before: Cluster,
  after: Cluster,
  key: string,
  revisions: Revisions,
): TableDelta | undefined {
  const [delta, ...others] = deltasBetween(before, after, key, revisions);
  if (others.length > 0) throw new Error('it takes two deltas');
  return delta;
}
