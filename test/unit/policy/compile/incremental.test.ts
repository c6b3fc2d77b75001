/** Any sequence of changes leads each followed table to what compiling the cluster from scratch gives. */
import { isDeepStrictEqual } from 'node:util';

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  applyDelta,
  type Cluster,
  type ClusterChange,
  type Compiler,
  clusterChanges,
  createCompiler,
  createJudge,
  EMPTY_CLUSTER,
  isSubject,
  LiveCluster,
  readInjectorFrame,
  readTable,
  TABLE_SCHEMA,
  type Table,
  type TableChanges,
  touchedPeers,
} from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { obviousOwner } from '../obvious.ts';

/** Each time others, for every run has another seed; `SLUICE_TEST_RUNS` has more of them. */
const RUNS = Number(process.env.SLUICE_TEST_RUNS ?? 100);

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 60_000;

/** A table as a sidecar holds it: from JSON, changed by deltas from JSON. */
class Follower {
  readonly key: string;
  table: Table | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** What changes in groups comes first, then what changes in the pod's own rules, when it has its turn. */
  update(
    compiler: Compiler,
    update: ReturnType<Compiler['commit']>,
    revision: number,
    hasTurn: boolean,
  ): void {
    const changes = update.tables.get(this.key);
    if (changes !== undefined) this.#apply(changes, revision * 2);
    if (!hasTurn || !update.reshaped.has(this.key)) return;
    const own = compiler.reshape(this.key);
    if (own?.kind === 'gone') this.table = undefined;
    else if (own?.kind === 'new') this.table = overTheWire(compiler.compile(this.key, revision * 2 + 1));
    else if (own !== undefined) this.#apply(own.changes, revision * 2 + 1);
  }

  #apply(changes: TableChanges, revision: number): void {
    if (this.table === undefined) throw new Error('there is no table to change');
    const delta = { schema: TABLE_SCHEMA, from: this.table.revision, revision, ...changes };
    const frame = readInjectorFrame(JSON.parse(JSON.stringify({ type: 'delta', delta })));
    if (frame.type !== 'delta') throw new Error(`a ${frame.type} came of a delta`);
    const before = this.table;
    this.table = applyDelta(before, frame.delta);
    expectOthersUntouched(before, this.table, touchedPeers(frame.delta));
  }
}

function overTheWire(table: Table): Table {
  return readTable(JSON.parse(JSON.stringify(table)));
}

/** As `toEqual`, which is slow: it is asked where they differ, and then says how. */
function expectSame(found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
}

/** Addresses that a delta does not touch have the verdicts and owners that they had. */
function expectOthersUntouched(before: Table, after: Table, touched: ReadonlySet<string> | undefined): void {
  if (touched === undefined) return;
  const [was, is] = [createJudge(before), createJudge(after)];
  for (const address of [...Object.keys(before.pods), ...Object.keys(after.pods), '192.0.2.1']) {
    if (touched.has(address)) continue;
    expectSame(is.identify(address), was.identify(address));
    for (const port of [80, 81, 443])
      expectSame(is.judge('ingress', address, 'TCP', port), was.judge('ingress', address, 'TCP', port));
  }
}

/** @param fresh made of the cluster as it is */
function expectTable({ key, table }: Follower, fresh: Compiler): void {
  const pod = fresh.cluster.pods.get(key);
  if (pod === undefined || !isSubject(pod)) expect(table).toBeUndefined();
  else expectSame(table, fresh.compile(key, table?.revision ?? 0));
}

/** Changes that lead from the first cluster through the others, in an order that the seeds shuffle. */
function history(clusters: readonly Cluster[], seeds: readonly number[]): ClusterChange[] {
  const changes: ClusterChange[] = [];
  let before: Cluster = EMPTY_CLUSTER;
  for (const [index, after] of clusters.entries()) {
    const step = clusterChanges(before, after);
    if (index > 0) {
      const rank = (i: number) => seeds[(i + index) % seeds.length] ?? 0;
      const ranked = step.map((change, i) => ({ change, rank: rank(i) }));
      changes.push(...ranked.sort((a, b) => a.rank - b.rank).map(({ change }) => change));
    } else changes.push(...step);
    before = after;
  }
  return changes;
}

const KEYS = ['a', 'b'].flatMap((namespace) =>
  ['v', 'w', 'x', 'y', 'z'].map((name) => `${namespace}/${name}`),
);

it(
  'whatever changes in whatever order, however many changes come together',
  () => {
    fc.assert(
      fc.property(
        fc.array(apiCluster, { minLength: 2, maxLength: 4 }),
        fc.array(fc.nat(100), { minLength: 7, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 3, maxLength: 9 }),
        fc.integer({ min: 1, max: 3 }),
        (objects, seeds, batches, turns) => {
          const live = new LiveCluster();
          const compiler = createCompiler(EMPTY_CLUSTER);
          const followers = KEYS.map((key) => new Follower(key));
          // Half of them from the beginning, the others join on the way.
          for (const { key } of followers.slice(0, 5)) compiler.follow(key);
          const changes = history(objects.map(readCluster), seeds);
          let revision = 0;
          for (let round = 0; changes.length > 0; round += 1) {
            for (const change of changes.splice(0, batches[round % batches.length])) {
              live.apply(change);
              compiler.apply(change, 'found');
            }
            revision += 1;
            const isLast = changes.length === 0;
            // Where there is no time for more, one namespace has its policies put in force.
            const update = compiler.commit(() => isLast || round % 2 === 0);
            for (const [place, follower] of followers.entries()) {
              const hasTurn = isLast || (place + round) % turns === 0;
              follower.update(compiler, update, revision, hasTurn);
            }
            const joining = followers[5 + round];
            if (joining !== undefined) {
              compiler.follow(joining.key);
              const pod = live.pods.get(joining.key);
              if (pod !== undefined && isSubject(pod))
                joining.table = overTheWire(compiler.compile(joining.key, revision * 2 + 1));
            }
            const fresh = createCompiler(live);
            for (const follower of followers.slice(0, 6 + round))
              if (!compiler.isBehind(follower.key)) expectTable(follower, fresh);
            if (isLast) expect(KEYS.filter((key) => compiler.isBehind(key))).toEqual([]);
          }
        },
      ),
      { numRuns: RUNS },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

it('names nobody as a former owner who still has the address, and everybody who has lost one', () => {
  fc.assert(
    fc.property(apiCluster, apiCluster, (first, second) => {
      const [before, after] = [readCluster(first), readCluster(second)];
      const compiler = createCompiler(before);
      for (const change of clusterChanges(before, after)) compiler.apply(change, 'found');
      const { formerOwners } = compiler.commit();
      const addresses = (first.pods ?? []).flatMap(({ status }) => status.podIPs ?? []).map(({ ip }) => ip);
      const key = (pod: ReturnType<typeof obviousOwner>) =>
        pod && `${pod.metadata.namespace}/${pod.metadata.name}`;
      for (const address of new Set(addresses)) {
        const [was, is] = [key(obviousOwner(first, address)), key(obviousOwner(second, address))];
        const former = formerOwners.get(address);
        expect(former && `${former.namespace}/${former.name}`).toBe(was === is ? undefined : was);
      }
    }),
  );
});
