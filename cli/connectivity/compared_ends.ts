/** The ends of connections on both sides of a comparison: which of one side is which of the other. */
import { firstFew } from '../../common/first_few.ts';
import type { Connectivity } from './connectivity.ts';
import type { KnownPod } from './known_pods.ts';
import { blocksOf, type NetworkBlock, type Networks, networkText } from './networks.ts';
import type { CandidatePod } from './pod_candidates.ts';
import type { Stance } from './stance.ts';

/** Pods of one workload, or networks, that are the same to policy before, and the same after. */
export type ComparedEnd = {
  readonly name: string;
  /** Absent: it is not there. */
  readonly before?: Stance;
  readonly after?: Stance;
} & (
  | {
      readonly kind: 'pods';
      readonly namespace: string;
      readonly workload: string;
      readonly pods: readonly string[];
      /** Whether it has the pods that its workload has, all of them. */
      readonly isWhole: boolean;
    }
  | { readonly kind: 'network'; readonly blocks: readonly NetworkBlock[] }
  /** Pods that are not there, and may come. */
  | { readonly kind: 'candidate' }
);

/** One side. */
export interface Side {
  readonly connectivity: Connectivity;
  readonly pods: readonly KnownPod[];
  /** Called for each pod: what it throws ends the comparison. */
  readonly beforePod?: () => void;
}

interface Pair {
  readonly before?: Stance;
  readonly after?: Stance;
  readonly pod: string;
}

/** Pods are the same if they have one name; else those of one workload are put together as they come. */
export function comparedEnds(
  before: Side,
  after: Side,
  networks: Networks,
  candidates: readonly CandidatePod[] = [],
): readonly ComparedEnd[] {
  return [
    ...podEnds(before, after),
    ...networkEnds(before, after, networks),
    ...candidates.map(
      ({ name, pod }): ComparedEnd => ({
        kind: 'candidate',
        name,
        before: before.connectivity.stanceOfPod(pod),
        after: after.connectivity.stanceOfPod(pod),
      }),
    ),
  ];
}

function podEnds(before: Side, after: Side): readonly ComparedEnd[] {
  const [was, is] = [byWorkload(before), byWorkload(after)];
  const keys = [...new Set([...was.keys(), ...is.keys()])].sort();
  return keys.flatMap((key) => {
    const [old, now] = [was.get(key) ?? [], is.get(key) ?? []];
    const [one] = [...now, ...old];
    if (one === undefined) return [];
    const { workload, pod } = one;
    const pairs = paired(stances(old, before), stances(now, after));
    const parts = [...Map.groupBy(pairs, (pair) => `${pair.before?.id} ${pair.after?.id}`).values()];
    return parts.map((part): ComparedEnd => {
      const [{ before: earlier, after: later } = {}] = part;
      const pods = [...new Set(part.map((pair) => pair.pod))].sort();
      const isWhole = parts.length === 1;
      return {
        kind: 'pods',
        namespace: pod.namespace,
        workload,
        name: `${pod.namespace}/${workload}${isWhole ? '' : ` (${firstFew(pods, SHOWN_PODS)})`}`,
        pods,
        isWhole,
        ...(earlier === undefined ? {} : { before: earlier }),
        ...(later === undefined ? {} : { after: later }),
      };
    });
  });
}

function byWorkload({ pods }: Side): ReadonlyMap<string, KnownPod[]> {
  return Map.groupBy(pods, ({ pod, workload }) => `${pod.namespace}/${workload}`);
}

/** By name of the pod. */
function stances(pods: readonly KnownPod[], { connectivity, beforePod }: Side): ReadonlyMap<string, Stance> {
  return new Map(
    pods.map(({ pod }) => {
      beforePod?.();
      return [pod.name, connectivity.stanceOfPod(pod)];
    }),
  );
}

function paired(was: ReadonlyMap<string, Stance>, is: ReadonlyMap<string, Stance>): readonly Pair[] {
  const pairs: Pair[] = [];
  for (const [pod, before] of was) {
    const after = is.get(pod);
    if (after !== undefined) pairs.push({ pod, before, after });
  }
  const old = unmatched(was, is, new Set(pairs.map(({ before }) => before)));
  const now = unmatched(is, was, new Set(pairs.map(({ after }) => after)));
  const count = Math.max(old.length, now.length);
  for (let at = 0; at < count; at += 1) {
    // Replaced pods have other names. Of those that are left over on one side the last one counts again.
    const [before, after] = [old[at] ?? old.at(-1), now[at] ?? now.at(-1)];
    const pod = (now[at] ?? before ?? after)?.pod;
    if (pod === undefined) continue;
    pairs.push({
      pod,
      ...(before === undefined ? {} : { before: before.stance }),
      ...(after === undefined ? {} : { after: after.stance }),
    });
  }
  return pairs;
}

/** One pod of each stance that the other side lacks; fewer or more replicas of a known stance make no difference. */
function unmatched(
  pods: ReadonlyMap<string, Stance>,
  others: ReadonlyMap<string, Stance>,
  known: ReadonlySet<Stance | undefined>,
): readonly { readonly pod: string; readonly stance: Stance }[] {
  const found = new Map<Stance, { readonly pod: string; readonly stance: Stance }>();
  for (const [pod, stance] of [...pods].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!others.has(pod) && !known.has(stance) && !found.has(stance)) found.set(stance, { pod, stance });
  return [...found.values()];
}

/** Names of pods that are printed of a part of a workload. */
const SHOWN_PODS = 2;

function networkEnds(before: Side, after: Side, { regions }: Networks): readonly ComparedEnd[] {
  const was = stanceByRegion(before.connectivity);
  const is = stanceByRegion(after.connectivity);
  const parts = Map.groupBy(regions, (region) => `${was.get(region)?.id} ${is.get(region)?.id}`);
  return [...parts.values()].flatMap((part): readonly ComparedEnd[] => {
    const [first] = part;
    if (first === undefined) return [];
    const [earlier, later] = [was.get(first), is.get(first)];
    if (earlier === undefined || later === undefined) return [];
    const blocks = blocksOf(part, regions);
    // A stance of one side may have more regions than are together on both.
    const families = [...new Set(part.map(({ family }) => family))];
    return [
      {
        kind: 'network',
        name: networkText(blocks),
        blocks,
        before: { ...earlier, families },
        after: { ...later, families },
      },
    ];
  });
}

function stanceByRegion({ networks }: Connectivity) {
  return new Map(
    [...networks].flatMap(([stance, regions]) => regions.map((region) => [region, stance] as const)),
  );
}

/** Whether an end is one pod for good: what it may do to itself no policy decides. */
export function isSingle(end: ComparedEnd): boolean {
  return end.kind === 'pods' && end.workload.startsWith('pod/');
}
