/** Random changes of a cluster: what diff and graph say of every pair of ends is what the engine says, before and after. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  blocksOfPolicies,
  type CandidatePod,
  type ComparedEnd,
  comparedEnds,
  createConnectivity,
  createIsSame,
  createNetworks,
  type EndGroup,
  groupEnds,
  hasPort,
  haveOneFamily,
  knownPods,
  type Networks,
  type PortSet,
  podCandidates,
  type Stance,
} from '../../../../cli/connectivity/index.ts';
import { compare } from '../../../../cli/diff/compare.ts';
import { createReasons } from '../../../../cli/diff/reasons.ts';
import { edgesOf } from '../../../../cli/graph/edges.ts';
import { PROTOCOLS } from '../../../../common/net.ts';
import {
  type Cluster,
  createEvaluator,
  type Endpoint,
  objectKey,
  type Pod,
} from '../../../../policy/index.ts';
import type { Manifests } from '../../../../sources/index.ts';
import { type ApiCluster, readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { probePool } from '../../policy/probes.ts';
import { isExempt, PROPERTY_TIMEOUT_MS, strangersAmong } from './engine_words.ts';

/** Two states: the second has some of its policies and pods from elsewhere. */
const twoStates = fc
  .tuple(apiCluster, apiCluster, fc.boolean())
  .map(([before, other, hasOtherPods]): readonly [ApiCluster, ApiCluster] => {
    const after = {
      ...before,
      policies: [...(before.policies ?? []).slice(1), ...(other.policies ?? [])].filter(
        ({ metadata }, at, all) => all.findIndex((one) => one.metadata.name === metadata.name) === at,
      ),
      pods: (hasOtherPods ? other.pods : before.pods) ?? [],
    };
    return [before, after];
  });

function manifestsOf(cluster: Cluster): Manifests {
  return { cluster, objects: [], others: [], files: [], problems: [] };
}

/** Ends with what the engine is asked about them, by side; undefined where they are not there. */
interface Asked {
  readonly end: ComparedEnd;
  readonly was: Endpoint | undefined;
  readonly is: Endpoint | undefined;
}

function askedOf(
  ends: readonly ComparedEnd[],
  before: Cluster,
  after: Cluster,
  networks: Networks,
  addresses: readonly string[],
  candidates: readonly CandidatePod[],
) {
  const podOf = (pod: Pod | undefined): Endpoint | undefined => pod && { kind: 'pod', pod };
  return ends.flatMap((end): readonly Asked[] => {
    if (end.kind === 'candidate') {
      const pod = podOf(candidates.find(({ name }) => name === end.name)?.pod);
      return [{ end, was: pod, is: pod }];
    }
    if (end.kind === 'pods')
      return end.pods.map((name) => {
        const key = objectKey(end.namespace, name);
        return {
          end,
          was: end.before && podOf(before.pods.get(key)),
          is: end.after && podOf(after.pods.get(key)),
        };
      });
    const cidrs = new Set(end.blocks.map(({ cidr }) => cidr));
    return addresses
      .filter((address) =>
        isIn(
          networks,
          address,
          cidrs,
          end.blocks.flatMap(({ except }) => except),
        ),
      )
      .map((address) => ({ end, was: { kind: 'address', address }, is: { kind: 'address', address } }));
  });
}

/** As the blocks of an end are written: in one of them, and in no exception that is nearer. */
function isIn(
  networks: Networks,
  address: string,
  cidrs: ReadonlySet<string>,
  except: readonly string[],
): boolean {
  for (let region = networks.regionOf(address); region !== undefined; region = region.parent) {
    if (cidrs.has(region.cidr)) return true;
    if (except.includes(region.cidr)) return false;
  }
  return false;
}

/** What policy has a say about, before or after. */
function pairIsAsked(from: ComparedEnd, to: ComparedEnd): boolean {
  if (from.kind !== 'pods' && to.kind !== 'pods') return false;
  const judged = (one: Stance | undefined, other: Stance | undefined) =>
    one !== undefined && other !== undefined && (one.isSubject || other.isSubject);
  return judged(from.before, to.before) || judged(from.after, to.after);
}

/** What policy has a say about, after. */
function isDrawn({ after: from }: ComparedEnd, { after: to }: ComparedEnd): boolean {
  return from?.isSubject === true || to?.isSubject === true;
}

const noTurn = async () => {};

it('diff and graph say what the engine says', { timeout: PROPERTY_TIMEOUT_MS }, async () => {
  let changed = 0;
  let compared = 0;
  let same = 0;
  await fc.assert(
    fc.asyncProperty(twoStates, async ([oneState, otherState]) => {
      const [before, after] = [readCluster(oneState), readCluster(otherState)];
      const networks = createNetworks([...blocksOfPolicies(before), ...blocksOfPolicies(after)]);
      const [was, is] = [knownPods(manifestsOf(before)), knownPods(manifestsOf(after))];
      const candidates = podCandidates([before, after], [...was.pods, ...is.pods]);
      const side = (cluster: Cluster, { pods }: typeof was) => ({
        connectivity: createConnectivity(cluster, networks, candidates.namespaces),
        pods,
      });
      const [earlier, later] = [side(before, was), side(after, is)];
      const ends = comparedEnds(earlier, later, networks, candidates.pods);
      const groups = groupEnds(ends);
      const isSame = createIsSame(earlier.connectivity, later.connectivity);
      const comparison = await compare(groups, isSame, noTurn);
      const { changes } = comparison;
      expect(comparison).toEqual(await compare(groups, () => false, noTurn));
      same += groups.filter(isSame).length;
      const edges = await edgesOf(groups, noTurn);
      const reasonsOf = createReasons(before, after);

      const groupOf = new Map(groups.flatMap((group) => group.ends.map((end) => [end, group] as const)));
      const key = (from: EndGroup, to: EndGroup) => `${groups.indexOf(from)} ${groups.indexOf(to)}`;
      const changeOf = new Map(changes.map((change) => [key(change.from, change.to), change]));
      const edgeOf = new Map(edges.map((edge) => [key(edge.from, edge.to), edge]));
      for (const change of changes) {
        const kinds = reasonsOf(change).map(({ kind }) => kind);
        const [was, is] = [change.before.ranges.length, change.after.ranges.length];
        if (kinds.includes('addresses')) expect(was === 0 || is === 0).toBe(true);
      }

      const pools = [probePool(oneState), probePool(otherState)];
      const addresses = strangersAmong(
        pools.flatMap((pool) => pool.addresses),
        [before, after],
      );
      const ports = [...new Set(pools.flatMap((pool) => pool.ports))].slice(0, 12);
      const withMore = (cluster: Cluster): Cluster => ({
        ...cluster,
        namespaces: new Map([
          ...candidates.namespaces.map((one) => [one.name, one] as const),
          ...cluster.namespaces,
        ]),
      });
      const [first, second] = [createEvaluator(withMore(before)), createEvaluator(withMore(after))];
      const asked = askedOf(ends, before, after, networks, addresses, candidates.pods);
      const opens = (
        evaluator: typeof first,
        source: Endpoint | undefined,
        destination: Endpoint | undefined,
        stances: readonly [Stance | undefined, Stance | undefined],
        protocol: (typeof PROTOCOLS)[number],
        port: number,
      ): boolean | undefined => {
        const [one, other] = stances;
        if (!source || !destination || !one || !other || !haveOneFamily(one, other)) return false;
        const verdict = evaluator.evaluate({ source, destination, protocol, port });
        return isExempt(verdict) ? undefined : verdict.verdict === 'allow';
      };
      for (const from of asked)
        for (const to of asked) {
          if (from.end === to.end) continue;
          const [source, destination] = [groupOf.get(from.end), groupOf.get(to.end)];
          if (source === undefined || destination === undefined) throw new Error('an end without a group');
          if (!pairIsAsked(from.end, to.end)) continue;
          const change = changeOf.get(key(source, destination));
          const edge = edgeOf.get(key(source, destination));
          for (const protocol of PROTOCOLS)
            for (const port of ports) {
              const old = opens(first, from.was, to.was, [from.end.before, to.end.before], protocol, port);
              const now = opens(second, from.is, to.is, [from.end.after, to.end.after], protocol, port);
              if (old === undefined || now === undefined) continue;
              compared += 1;
              const has = (set: PortSet | undefined) => set !== undefined && hasPort(set, protocol, port);
              const said = [
                change === undefined ? old === now : has(change.before) === old && has(change.after) === now,
                !isDrawn(from.end, to.end) || has(edge?.ports) === now,
              ];
              if (change !== undefined) changed += 1;
              if (said.includes(false))
                expect.fail(
                  `${from.end.name} -> ${to.end.name} ${protocol}/${port} ${old} ${now} ${said.join()}`,
                );
            }
        }
    }),
    { numRuns: 100 },
  );
  expect(changed / compared).toBeGreaterThan(0.05);
  expect(changed / compared).toBeLessThan(0.95);
  expect(same).toBeGreaterThan(100);
});
