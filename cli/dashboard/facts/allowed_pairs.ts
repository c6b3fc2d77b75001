/** Which workloads policies let connect to which: what the page draws as not used where nothing was observed. */
import { objectKey } from '../../../policy/index.ts';
import type { Manifests } from '../../../sources/index.ts';
import type { CommandContext } from '../../command.ts';
import {
  type ComparedEnd,
  comparedEnds,
  createConnectivity,
  createNetworks,
  directionsOf,
  type EndGroup,
  groupEnds,
  intersection,
  isJudged,
  isSingle,
  knownPods,
  portsBetween,
  portsText,
} from '../../connectivity/index.ts';
import { observedWorkload } from '../../observed_workload.ts';
import type { AllowedPair } from '../form.ts';

/** Pairs that the page gets: more it could not draw, and the matrix of a large cluster holds about as many. */
const MAX_PAIRS = 5_000;

/** Groups gone through in one turn of the event loop. */
const GROUPS_A_TURN = 50;

/** Rules that are named of one pair. */
const MAX_RULES = 5;

/** Pairs of workloads, and whether there are more. */
export interface AllowedPairs {
  readonly pairs: readonly AllowedPair[];
  readonly isCut: boolean;
}

/** Only where a policy isolates an end: what nobody decides is open anyway. */
export async function allowedPairs(
  manifests: Manifests,
  { signal, checkTime }: Pick<CommandContext, 'signal' | 'checkTime'>,
): Promise<AllowedPairs> {
  const { pods } = knownPods(manifests);
  const networks = createNetworks([]);
  const connectivity = createConnectivity(manifests.cluster, networks, []);
  const side = { connectivity, pods, beforePod: checkTime };
  const ends = comparedEnds(side, side, networks).filter(({ kind }) => kind === 'pods');
  const groups = groupEnds(ends);
  const pairs = new Map<string, AllowedPair>();
  for (const [at, from] of groups.entries()) {
    if (at % GROUPS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    for (const to of groups) {
      const open = opening(from, to);
      if (open === undefined) continue;
      for (const src of from.ends)
        for (const dst of to.ends) {
          if (src.kind !== 'pods' || dst.kind !== 'pods' || (src === dst && isSingle(src))) continue;
          if (pairs.size >= MAX_PAIRS) return { pairs: [...pairs.values()], isCut: true };
          // Parts of one workload that policies tell apart are one row here: the first of them speaks.
          const key = `${nameOf(src)} ${nameOf(dst)}`;
          if (!pairs.has(key)) pairs.set(key, { src: endOf(src), dst: endOf(dst), ...open });
        }
    }
  }
  return { pairs: [...pairs.values()], isCut: false };
}

function opening(from: EndGroup, to: EndGroup): Pick<AllowedPair, 'ports' | 'rules'> | undefined {
  const [source, destination] = [from.after, to.after];
  if (source === undefined || destination === undefined || !isJudged(source, destination)) return undefined;
  if (source.egress === undefined && destination.ingress === undefined) return undefined;
  const ports = portsBetween(source, destination);
  if (ports.ranges.length === 0) return undefined;
  const directions = directionsOf(source, destination);
  const rules = [
    ...(source.egress?.openings(directions.destination) ?? []),
    ...(destination.ingress?.openings(directions.source) ?? []),
  ]
    .filter((one) => intersection(one.ports, ports).ranges.length > 0)
    .map(({ rule: { policy, direction, index } }) => ({
      policy: objectKey(policy.namespace, policy.name),
      direction,
      index,
    }));
  return { ports: portsText(ports), rules: rules.slice(0, MAX_RULES) };
}

type PodsEnd = Extract<ComparedEnd, { readonly kind: 'pods' }>;

function nameOf({ namespace, workload }: PodsEnd): string {
  return `${namespace}/${workload}`;
}

function endOf({ namespace, workload }: PodsEnd) {
  return { namespace, workload: observedWorkload(workload) };
}
