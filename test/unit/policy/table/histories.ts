/** One pod's tables in clusters that follow one another. */
import fc from 'fast-check';
import {
  type Cluster,
  clusterChanges,
  createCompiler,
  isSubject,
  type Table,
} from '../../../../policy/index.ts';
import { type ApiCluster, readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';

/** A pod that has a table in each of some clusters: in every one of them where it is not, it is as in the first. */
export interface History {
  readonly key: string;
  readonly clusters: readonly Cluster[];
}

/** Such a pod in random clusters; undefined where the first one has no pod with a table. */
export const history: fc.Arbitrary<History | undefined> = fc
  .array(apiCluster, { minLength: 2, maxLength: 4 })
  .map(([first = {}, ...others]: ApiCluster[]) => {
    const before = readCluster(first);
    const [key] = [...before.pods].find(([, pod]) => isSubject(pod)) ?? [];
    const own = first.pods?.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key);
    if (key === undefined || own === undefined) return undefined;
    const clusters = others.map((objects) => {
      const cluster = readCluster(objects);
      const found = cluster.pods.get(key);
      if (found !== undefined && isSubject(found)) return cluster;
      const pods = (objects.pods ?? []).filter(
        ({ metadata }) => `${metadata.namespace}/${metadata.name}` !== key,
      );
      return readCluster({ ...objects, pods: [...pods, own] });
    });
    return { key, clusters: [before, ...clusters] };
  });

/** The pod's tables one after the other: as one compiler makes them, which share parts, and as new compilers do, which share none. */
export function tablesOf({ key, clusters }: History, sharing: boolean): Table[] {
  const [first, ...others] = clusters;
  if (first === undefined) return [];
  const compiler = createCompiler(first);
  compiler.follow(key);
  const tables = [compiler.compile(key, 1)];
  let before = first;
  for (const [place, after] of others.entries()) {
    for (const change of clusterChanges(before, after)) compiler.apply(change, 'found');
    compiler.commit();
    tables.push((sharing ? compiler : createCompiler(after)).compile(key, place + 2));
    before = after;
  }
  return tables;
}
