/** Any sequence of changes leads each followed table to what compiling the cluster from scratch gives. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Cluster,
  type ClusterChange,
  type Compiler,
  clusterChanges,
  createCompiler,
  EMPTY_CLUSTER,
  isSubject,
  LiveCluster,
  type Table,
} from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { changeBetween } from '../../../builders/table_frames.ts';
import { obviousOwner } from '../obvious.ts';
import { changedTable, expectSameTable, overTheWire } from '../table_updates.ts';
import { expectOthersUntouched } from '../untouched.ts';

/** Each time others, for every run has another seed; `SLUICE_TEST_RUNS` has more of them. */
const RUNS = Number(process.env.SLUICE_TEST_RUNS ?? 100);

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

/** A sidecar and its injector's memory of it: what was sent last, and the table that came of it over the wire. */
class Follower {
  readonly key: string;
  /** As the compiler made it. */
  #sent: Table | undefined;
  /** As a sidecar holds it: from JSON, changed by changes from JSON. */
  table: Table | undefined;
  /** The compiler has said that the table may differ, and it was not asked for since. */
  isDue = false;

  constructor(key: string) {
    this.key = key;
  }

  /** The table as it is, when the pod has its turn. */
  update(compiler: Compiler, touched: ReadonlySet<string>, revision: number, hasTurn: boolean): void {
    if (touched.has(this.key)) this.isDue = true;
    if (!hasTurn || !this.isDue) return this.#expectNothingNew(compiler);
    this.isDue = false;
    const pod = compiler.cluster.pods.get(this.key);
    const isThere = pod !== undefined && isSubject(pod);
    const now = isThere ? compiler.compile(this.key, revision) : undefined;
    if (now === undefined || this.#sent === undefined || this.table === undefined) {
      this.table = now && overTheWire(now);
    } else {
      const before = this.table;
      const { table, touched: addresses } = changedTable(before, changeBetween(this.#sent, now));
      expectOthersUntouched(before, table, addresses);
      this.table = table;
    }
    this.#sent = now;
  }

  /** What the compiler does not name is as it was. */
  #expectNothingNew(compiler: Compiler): void {
    const pod = compiler.cluster.pods.get(this.key);
    if (this.isDue || this.table === undefined || pod === undefined || !isSubject(pod)) return;
    expectSameTable(this.table, compiler.compile(this.key, this.table.revision));
  }
}

/** @param fresh made of the cluster as it is */
function expectTable({ key, table }: Follower, fresh: Compiler): void {
  const pod = fresh.cluster.pods.get(key);
  const now = pod !== undefined && isSubject(pod) ? fresh.compile(key, table?.revision ?? 0) : undefined;
  if (now === undefined || table === undefined) expect(table).toBe(now);
  else expectSameTable(table, now);
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
            const { touched } = compiler.commit(() => isLast || round % 2 === 0);
            for (const [place, follower] of followers.slice(0, 5 + round).entries()) {
              const hasTurn = isLast || (place + round) % turns === 0;
              follower.update(compiler, touched, revision, hasTurn);
            }
            const joining = followers[5 + round];
            if (joining !== undefined) {
              compiler.follow(joining.key);
              joining.isDue = true;
              joining.update(compiler, new Set(), revision, true);
            }
            const fresh = createCompiler(live);
            for (const follower of followers.slice(0, 6 + round))
              if (!follower.isDue && !compiler.isBehind(follower.key)) expectTable(follower, fresh);
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
      const peer = (pod: ReturnType<typeof obviousOwner>) => {
        if (pod === undefined) return undefined;
        const { namespace, name, uid = `${namespace}/${name}` } = pod.metadata;
        return { pod: expect.objectContaining({ namespace, name }), tag: uid };
      };
      for (const address of new Set(addresses)) {
        const [was, is] = [peer(obviousOwner(first, address)), peer(obviousOwner(second, address))];
        expect(formerOwners.get(address)).toEqual(was?.tag === is?.tag ? undefined : was);
      }
    }),
  );
});
