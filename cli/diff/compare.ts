/** What connections become possible or impossible from one state of a cluster to another. */
import {
  arePods,
  difference,
  type EndGroup,
  type IsSame,
  isJudged,
  isSingle,
  NO_PORTS,
  type PortSet,
  pairCount,
  portsBetween,
  type Stance,
} from '../connectivity/index.ts';

/** In which way a connection changes: `changed` is wider in some ports and narrower in others. */
export const CHANGES = ['wider', 'changed', 'narrower'] as const;

/** One of them. */
export type Change = (typeof CHANGES)[number];

/** What changes from all ends of one group to all of another. */
export interface GroupChange {
  readonly change: Change;
  readonly from: EndGroup;
  readonly to: EndGroup;
  readonly before: PortSet;
  readonly after: PortSet;
}

/** What a comparison comes to. */
export interface Comparison {
  /** The first of them, up to a bound. */
  readonly changes: readonly GroupChange[];
  /** Pairs of ends that change in each way. */
  readonly counts: Readonly<Record<Change, number>>;
  /** Pairs of ends that can reach each other at the same ports as before, or as little. */
  readonly unchanged: number;
  /** Pairs of ends that change, and are not among `changes`. */
  readonly leftOut: number;
}

/** Changes of groups that are kept: rows and reasons are made of each, some 50 us. */
const MAX_CHANGES = 100_000;

/** Groups compared in one turn of the event loop, between which a time limit counts. */
const GROUPS_A_TURN = 50;

/**
 * Compares every pair.
 * @param isSame groups that are the same before and after: pairs of two such are unchanged, and only counted
 * @param turn is waited for now and then
 * @param maxChanges of groups, that are kept
 */
export async function compare(
  groups: readonly EndGroup[],
  isSame: IsSame,
  turn: (done: number) => Promise<void>,
  maxChanges = MAX_CHANGES,
): Promise<Comparison> {
  const changes: GroupChange[] = [];
  const counts = { wider: 0, changed: 0, narrower: 0 };
  const same = groups.filter(isSame);
  const isKnown = new Set(same);
  const others = groups.filter((group) => !isKnown.has(group));
  let unchanged = judgedPairs(same);
  let leftOut = 0;
  for (const [at, from] of groups.entries()) {
    if (at % GROUPS_A_TURN === 0) await turn(at);
    for (const to of isKnown.has(from) ? others : groups) {
      const count = isJudgedOnOneSide(from, to) ? pairCount(from, to) : 0;
      if (count === 0) continue;
      const before = between(from.before, to.before);
      const after = between(from.after, to.after);
      const change = changeOf(before, after);
      if (change === undefined) {
        unchanged += count;
        continue;
      }
      counts[change] += count;
      if (changes.length < maxChanges) changes.push({ change, from, to, before, after });
      else leftOut += count;
    }
  }
  return { changes, counts, unchanged, leftOut };
}

/** The pairs of ends of groups that are the same on both sides, as far as policy has a say: groups of one kind are counted together. */
function judgedPairs(groups: readonly EndGroup[]): number {
  const kinds = Map.groupBy(groups, (group) => `${arePods(group)} ${group.before?.isSubject}`);
  const sums = [...kinds.values()].flatMap((own) => {
    const ends = own.flatMap((group) => group.ends);
    const [one] = own;
    return one === undefined ? [] : [{ one, ends: ends.length, singles: ends.filter(isSingle).length }];
  });
  let count = 0;
  for (const from of sums)
    for (const to of sums) {
      if (!isJudgedOnOneSide(from.one, to.one) || !(arePods(from.one) || arePods(to.one))) continue;
      count += from.ends * to.ends - (from === to ? from.singles : 0);
    }
  return count;
}

function between(from: Stance | undefined, to: Stance | undefined): PortSet {
  return from === undefined || to === undefined ? NO_PORTS : portsBetween(from, to);
}

function changeOf(before: PortSet, after: PortSet): Change | undefined {
  if (before.key === after.key) return undefined;
  if (difference(before, after).ranges.length === 0) return 'wider';
  return difference(after, before).ranges.length === 0 ? 'narrower' : 'changed';
}

/** Whether policy has a say before or after. */
function isJudgedOnOneSide(from: EndGroup, to: EndGroup): boolean {
  return areJudged(from.before, to.before) || areJudged(from.after, to.after);
}

function areJudged(from: Stance | undefined, to: Stance | undefined): boolean {
  return from !== undefined && to !== undefined && isJudged(from, to);
}
