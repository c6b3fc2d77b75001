/** Tables of schema 1 say of any cluster what tables say, both ways, and their deltas always fit. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyDelta,
  type Cluster,
  type Compiler,
  clusterChanges,
  createCompiler,
  createJudge,
  deltaToV1,
  isSubject,
  type Judge,
  type Protocol,
  readInjectorFrameV1,
  type Table,
  type TableDeltaV1,
  type TableV1,
  tableFromV1,
  tableJson,
  tableToV1,
} from '../../../../policy/index.ts';
import { touchedPeers } from '../../../../policy/schema1/touched_peers.ts';
import {
  type ApiCluster,
  apiNamespace,
  apiPod,
  apiPolicy,
  readCluster,
} from '../../../builders/api_objects.ts';
import { apiCluster, scenario } from '../../../builders/random_cluster.ts';
import { asJson, expectSameTable } from '../table_updates.ts';
import { addressesOf, expectOthersUntouched } from '../untouched.ts';
import { type ObviousQuestion, obviousV1 } from './obvious_v1.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

const DIRECTIONS = ['ingress', 'egress'] as const;
const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP'];
const PORTS = [79, 80, 81, 443];

/** A table of schema 1 that went over the wire: what is wrong with one is refused. */
function snapshotOverTheWire(table: TableV1): TableV1 {
  const frame = readInjectorFrameV1(asJson({ type: 'snapshot', table }));
  if (frame.type !== 'snapshot') throw new Error(`a ${frame.type} came of a snapshot`);
  return frame.table;
}

function deltaOverTheWire(delta: TableDeltaV1): TableDeltaV1 {
  const frame = readInjectorFrameV1(asJson({ type: 'delta', delta }));
  if (frame.type !== 'delta') throw new Error(`a ${frame.type} came of a delta`);
  return frame.delta;
}

function subjectsOf(cluster: Cluster): string[] {
  return [...cluster.pods].flatMap(([key, pod]) => (isSubject(pod) ? [key] : []));
}

function questionsOf(...tables: readonly Table[]): ObviousQuestion[] {
  return DIRECTIONS.flatMap((direction) =>
    [...addressesOf(...tables)].flatMap((peer) =>
      PROTOCOLS.flatMap((protocol) => PORTS.map((port) => ({ direction, peer, protocol, port }))),
    ),
  );
}

/** The judge of a table made from schema 1, and an earlier sidecar, say what the table's own judge says: reasons included. */
function expectSameVerdicts(table: Table, v1: TableV1, fromV1: Table): void {
  const [judge, other] = [createJudge(table), createJudge(fromV1)];
  for (const question of questionsOf(table, fromV1)) {
    const verdict = verdictOf(judge, question);
    expectSame(verdictOf(other, question), verdict);
    expectSame([question, obviousV1(v1, question)], [question, verdict.verdict === 'allow']);
    expectSame(other.tag(question.peer), judge.tag(question.peer));
  }
}

/** As `toEqual`, which is slow: it is asked where they differ, and then says how. */
function expectSame(found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
}

function verdictOf(judge: Judge, { direction, peer, protocol, port }: ObviousQuestion) {
  return judge.judge(direction, peer, protocol as Protocol, port);
}

/**
 * All that a table says but the named ports of its groups' members: schema 1 has those of every member. It has the labels of the
 * pod itself by its address only.
 */
function saidWithoutPorts(table: Table): object {
  const { subject } = table;
  const own = subject.ips.length === 0 ? { ...subject, workload: '', labels: {} } : subject;
  const { groups, ...said } = tableJson({ ...table, subject: own });
  const without = Object.entries(groups).map(([id, { ports: _, ...group }]): [string, object] => [id, group]);
  return { ...said, groups: Object.fromEntries(without), order: [...table.policies.keys()] };
}

it(
  'brings a table back as it was, with the same verdicts and explanations',
  () => {
    fc.assert(
      fc.property(scenario, ({ objects, flows }) => {
        const cluster = readCluster(objects);
        const compiler = createCompiler(cluster);
        for (const key of subjectsOf(cluster)) {
          const table = compiler.compile(key, 7);
          const v1 = snapshotOverTheWire(tableToV1(table, compiler.directory));
          const back = tableFromV1(v1);
          expect(saidWithoutPorts(back)).toEqual(saidWithoutPorts(table));
          expectSameVerdicts(table, v1, back);
          const [judge, other] = [createJudge(table), createJudge(back)];
          for (const { source, protocol, port } of flows) {
            const owner = compiler.identify(source)?.pod ?? null;
            for (const direction of DIRECTIONS)
              expectSame(
                other.explain(direction, source, protocol as Protocol, port, owner),
                judge.explain(direction, source, protocol as Protocol, port, owner),
              );
          }
        }
      }),
      { numRuns: 60 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

/** A sidecar of schema 1 and its injector's memory of it. */
class FollowerV1 {
  readonly key: string;
  #sent: Table | undefined;
  #held: TableV1 | undefined;
  /** What a sidecar of today makes of an earlier injector's tables. */
  #table: Table | undefined;

  constructor(key: string) {
    this.key = key;
  }

  update(compiler: Compiler, revision: number): void {
    const pod = compiler.cluster.pods.get(this.key);
    if (pod === undefined || !isSubject(pod)) {
      [this.#sent, this.#held, this.#table] = [undefined, undefined, undefined];
      return;
    }
    const now = compiler.compile(this.key, revision);
    const whole = tableToV1(now, compiler.directory);
    if (this.#sent === undefined || this.#held === undefined || this.#table === undefined) {
      this.#held = snapshotOverTheWire(whole);
      this.#table = tableFromV1(this.#held);
    } else {
      const [held, before] = [this.#held, this.#table];
      const delta = deltaOverTheWire(deltaToV1(this.#sent, now, compiler.directory));
      this.#held = applyDelta(held, delta);
      // Refused if any member were out of place: a delta is checked for what it touches only.
      snapshotOverTheWire(this.#held);
      expectSameV1(this.#held, whole, now);
      this.#table = tableFromV1(this.#held, before);
      expectSameTable(this.#table, tableFromV1(this.#held));
      expectShared(before, this.#table);
      expectOthersUntouched(before, this.#table, touchedPeers(delta));
    }
    this.#sent = now;
    expectSameVerdicts(now, this.#held, this.#table);
  }
}

/**
 * What deltas have led to says what the whole table says. It may say otherwise of a pod's labels, of its namespace's, and of ports
 * that no rule asks for: as long as all groups that the table has select the pod as before.
 */
function expectSameV1(held: TableV1, whole: TableV1, table: Table): void {
  const { pods, namespaces: _, ...rest } = held;
  const { pods: wholePods, namespaces: __, ...wholeRest } = whole;
  expectSame(rest, asJson(wholeRest));
  const who = (all: TableV1['pods']) =>
    Object.entries(all)
      .map(([address, { namespace, name, uid }]) => [address, namespace, name, uid].join(' '))
      .sort();
  expectSame(who(pods), who(wholePods));
  for (const { ports } of table.groups.values())
    for (const address of ports?.keys() ?? []) expectSame(pods[address]?.ports, wholePods[address]?.ports);
}

/** What says the same as before is the same object. */
function expectShared(before: Table, after: Table): void {
  for (const part of ['subject', 'ingress', 'egress'] as const)
    if (isDeepStrictEqual(before[part], after[part])) expect(after[part]).toBe(before[part]);
  for (const [id, group] of after.groups) {
    const known = before.groups.get(id);
    if (known === undefined) continue;
    const isSame = [...group.members.since(known.members)].length === 0;
    if (isSame) expect(group.members).toBe(known.members);
    if (isSame && isDeepStrictEqual(new Map(group.ports), new Map(known.ports))) expect(group).toBe(known);
  }
}

it(
  'is led through any sequence of changes by deltas that are never refused',
  () => {
    fc.assert(
      fc.property(
        fc.array(apiCluster, { minLength: 2, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 3, maxLength: 9 }),
        fc.integer({ min: 1, max: 2 }),
        (objects, batches, turns) => {
          const clusters = objects.map(readCluster);
          const [first] = clusters;
          if (first === undefined) return;
          const compiler = createCompiler(first);
          const keys = new Set(clusters.flatMap(({ pods }) => [...pods.keys()]));
          const followers = [...keys].slice(0, 4).map((key) => new FollowerV1(key));
          for (const { key } of followers) compiler.follow(key);
          let revision = 1;
          for (const follower of followers) follower.update(compiler, revision);
          const changes = clusters.flatMap((after, place) =>
            clusterChanges(clusters[place - 1] ?? after, after),
          );
          for (let round = 0; changes.length > 0; round += 1) {
            for (const change of changes.splice(0, batches[round % batches.length]))
              compiler.apply(change, 'found');
            compiler.commit();
            revision += 1;
            const isLast = changes.length === 0;
            for (const [place, follower] of followers.entries())
              if (isLast || (place + round) % turns === 0) follower.update(compiler, revision);
          }
        },
      ),
      { numRuns: 40 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

describe('a delta of schema 1', () => {
  const FROM_WEB = { podSelector: { matchLabels: { app: 'web' } } };

  function cluster(web: Parameters<typeof apiPod>[1], more: Partial<ApiCluster> = {}): Cluster {
    return readCluster({
      namespaces: [apiNamespace('shop', { team: 'x' })],
      pods: [apiPod('shop/api', { ips: ['10.0.0.1'] }), apiPod('shop/web', { ips: ['10.0.0.2'], ...web })],
      policies: [
        apiPolicy('shop/a', {
          policyTypes: ['Ingress', 'Egress'],
          ingress: [{ from: [FROM_WEB] }],
          egress: [{ to: [FROM_WEB], ports: [{ port: 'http' }] }],
        }),
      ],
      ...more,
    });
  }

  function deltaBetween(before: Cluster, after: Cluster): TableDeltaV1 {
    const compiler = createCompiler(before);
    compiler.follow('shop/api');
    const held = compiler.compile('shop/api', 1);
    for (const change of clusterChanges(before, after)) compiler.apply(change, 'found');
    compiler.commit();
    return deltaToV1(held, compiler.compile('shop/api', 2), compiler.directory);
  }

  it('says that a member has other named ports', () => {
    const ports = (containerPort: number) => [{ name: 'http', containerPort }];
    const labels = { app: 'web' };
    const delta = deltaBetween(cluster({ labels, ports: ports(80) }), cluster({ labels, ports: ports(81) }));
    expect(delta.groups).toBeUndefined();
    expect(delta.pods?.['10.0.0.2']).toMatchObject({ ports: [{ name: 'http', port: 81 }] });
  });

  it('says that another pod of the same labels has a member’s address, and that nobody has one', () => {
    const labels = { app: 'web' };
    const delta = deltaBetween(cluster({ labels, uid: 'one' }), cluster({ labels, uid: 'two' }));
    expect(delta.groups).toBeUndefined();
    expect(delta.pods?.['10.0.0.2']).toMatchObject({ name: 'web', uid: 'two' });
    const gone = deltaBetween(cluster({ labels }), cluster({ labels: { app: 'x' } }));
    expect(gone.groups?.['pods(app=web) in namespace shop']).toEqual({
      kind: 'members',
      added: [],
      removed: ['10.0.0.2'],
    });
    expect(gone.pods).toMatchObject({ '10.0.0.2': null });
  });

  it('sets a group that is new with its pods and their namespaces, and removes one that is not needed', () => {
    const [none, some] = [
      cluster({ labels: { app: 'web' } }, { policies: [] }),
      cluster({ labels: { app: 'web' } }),
    ];
    const set = deltaBetween(none, some);
    expect(set.groups?.['pods(app=web) in namespace shop']).toEqual({
      kind: 'set',
      group: expect.objectContaining({ members: ['10.0.0.2'] }),
    });
    expect(Object.keys(set.pods ?? {}).sort()).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(set.namespaces).toEqual({ shop: expect.objectContaining({ team: 'x' }) });
    const removed = deltaBetween(some, none);
    expect(removed.groups?.['pods(app=web) in namespace shop']).toEqual({ kind: 'removed' });
    expect(removed.pods).toMatchObject({ '10.0.0.2': null });
  });
});
