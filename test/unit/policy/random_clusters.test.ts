/** Random clusters: the engine, directly and by tables, says what the obvious evaluator says. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  asFarAsAsked,
  type Cluster,
  type Compiler,
  createCompiler,
  createEvaluator,
  createJudge,
  type Direction,
  type Flow,
  isSubject,
  type Judge,
  type PeerIdentity,
  type Protocol,
  type Table,
  type Verdict,
} from '../../../policy/index.ts';
import { type ApiCluster, type ApiPod, readCluster } from '../../builders/api_objects.ts';
import { apiCluster, scenario } from '../../builders/random_cluster.ts';
import {
  type ObviousFlow,
  obviousIsolating,
  obviousOwner,
  obviousRuleAdmits,
  obviousVerdict,
} from './obvious.ts';
import { changedTable, changeOf, expectSameTable, overTheWire } from './table_updates.ts';

/** Far above what the runs take, for a machine with other work to do. */
const PROPERTY_TIMEOUT_MS = 180_000;

function allTables(compiler: Compiler, cluster: Cluster): Map<string, Table> {
  const subjects = [...cluster.pods].filter(([, pod]) => isSubject(pod));
  return new Map(subjects.map(([key]) => [key, overTheWire(compiler.compile(key, 1))]));
}

function ownerKey(objects: ApiCluster, address: string): string | undefined {
  const owner = obviousOwner(objects, address);
  return owner && `${owner.metadata.namespace}/${owner.metadata.name}`;
}

function addressFlow({ source, destination, protocol, port }: ObviousFlow): Flow {
  return {
    source: { kind: 'address', address: source },
    destination: { kind: 'address', address: destination },
    protocol: protocol as Protocol,
    port,
  };
}

/** The judge at one end of a flow, and how it sees the flow. */
function judgeSide(
  judges: ReadonlyMap<string, Judge>,
  objects: ApiCluster,
  whoIs: (address: string, asking: string) => PeerIdentity | undefined,
  direction: Direction,
  { source, destination, protocol, port }: ObviousFlow,
): { judged: Verdict; explained: Verdict } | undefined {
  const [subject, peer] = direction === 'ingress' ? [destination, source] : [source, destination];
  const key = ownerKey(objects, subject) ?? '';
  const judge = judges.get(key);
  if (judge === undefined) return undefined;
  return {
    judged: judge.judge(direction, peer, protocol as Protocol, port),
    explained: judge.explain(direction, peer, protocol as Protocol, port, whoIs(peer, key) ?? null),
  };
}

/** The policies and the rule a verdict names are the ones the obvious evaluator finds. */
function expectTrueReasons(objects: ApiCluster, verdict: Verdict, flowSeen: ObviousFlow): void {
  const { direction } = verdict;
  const subject = obviousOwner(objects, direction === 'ingress' ? flowSeen.destination : flowSeen.source);
  if (subject === undefined) return;
  const isolating = obviousIsolating(objects, subject, direction);
  const names = isolating.map(({ metadata }) => metadata.name).sort();
  if (verdict.reason === 'not-isolated') expect(names).toEqual([]);
  if (verdict.reason === 'no-rule') expect(verdict.isolating.map(({ name }) => name)).toEqual(names);
  if (verdict.reason === 'rule') {
    const policy = isolating.find(({ metadata }) => metadata.name === verdict.policy.name);
    const rule = policy?.spec[direction]?.[verdict.rule];
    expect(policy && rule && obviousRuleAdmits(objects, policy, rule, direction, flowSeen)).toBe(true);
  }
}

it(
  'agrees with the obvious evaluator, directly and by the tables of both ends, reasons included',
  () => {
    fc.assert(
      fc.property(scenario, ({ objects, flows }) => {
        const cluster = readCluster(objects);
        const evaluator = createEvaluator(cluster);
        const compiler = createCompiler(cluster);
        for (const key of cluster.pods.keys()) compiler.follow(key);
        const judges = new Map(
          [...allTables(compiler, cluster)].map(([key, table]) => [key, createJudge(table)]),
        );
        for (const one of flows) {
          const obvious = obviousVerdict(objects, one);
          const direct = evaluator.evaluate(addressFlow(one));
          expect(direct.verdict).toBe(obvious.egress && obvious.ingress ? 'allow' : 'deny');
          for (const direction of ['egress', 'ingress'] as const) {
            expect(direct[direction].verdict).toBe(obvious[direction] ? 'allow' : 'deny');
            expectTrueReasons(objects, direct[direction], one);
            const byTable = judgeSide(
              judges,
              objects,
              // As much of a pod as the rules ask for explains as well as all of it.
              (address, asking) => {
                const peer = compiler.identify(address)?.pod;
                return peer && asFarAsAsked(peer, compiler.askedOfPeers(asking));
              },
              direction,
              one,
            );
            expect(byTable?.explained ?? direct[direction]).toEqual(direct[direction]);
            expect(byTable?.judged.verdict).toBe(byTable?.explained.verdict);
          }
        }
      }),
      { numRuns: 800 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

it(
  'judges pods given as pods as it judges them by their addresses',
  () => {
    fc.assert(
      fc.property(scenario, ({ objects, flows }) => {
        const cluster = readCluster(objects);
        const evaluator = createEvaluator(cluster);
        for (const one of flows) {
          const source = cluster.pods.get(ownerKey(objects, one.source) ?? '');
          const destination = cluster.pods.get(ownerKey(objects, one.destination) ?? '');
          // Only where the family is not a choice, so that both ways mean the same addresses.
          if (source?.ips.length !== 1 || destination?.ips.length !== 1) continue;
          const byAddress = addressFlow(one);
          const byPod: Flow = {
            ...byAddress,
            source: { kind: 'pod', pod: source },
            destination: { kind: 'pod', pod: destination },
          };
          expect(evaluator.evaluate(byPod)).toEqual(evaluator.evaluate(byAddress));
        }
      }),
      { numRuns: 500 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

/** The second cluster's pods, and some of the first's where the second has none of that name. */
function mergePods(first: ApiCluster, second: ApiCluster): ApiPod[] {
  const names = new Set((second.pods ?? []).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const kept = (first.pods ?? []).filter(
    ({ metadata }) => !names.has(`${metadata.namespace}/${metadata.name}`),
  );
  return [...kept, ...(second.pods ?? [])];
}

it(
  'turns any table into any later one by a change that went over the wire',
  () => {
    fc.assert(
      fc.property(apiCluster, scenario, (first, { objects: second, flows }) => {
        // Keep some of the first cluster, so that changes are partial.
        const objects: ApiCluster = { ...second, pods: mergePods(first, second) };
        const before = readCluster(first);
        const after = readCluster(objects);
        const compiler = createCompiler(before);
        const next = createCompiler(after);
        for (const [key, pod] of after.pods) {
          const old = before.pods.get(key);
          if (!isSubject(pod) || old === undefined || !isSubject(old)) continue;
          const from = compiler.compile(key, 3);
          const to = next.compile(key, 9);
          const change = changeOf(before, after, key, { from: 3, revision: 9 });
          if (change === undefined) {
            expectSameTable({ ...from, revision: 9 }, to);
            continue;
          }
          const held = overTheWire(from);
          const { table: applied } = changedTable(held, change);
          expectSameTable(applied, to);
          expectSameTable(held, from);
          const [judge, fresh] = [createJudge(applied), createJudge(to)];
          for (const { source, protocol, port } of flows) {
            for (const direction of ['ingress', 'egress'] as const) {
              const verdict = judge.explain(direction, source, protocol as Protocol, port);
              expect(verdict).toEqual(fresh.explain(direction, source, protocol as Protocol, port));
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  },
  PROPERTY_TIMEOUT_MS,
);
