/** Ends that no policy tells apart: what holds for one pair of groups holds for all their pairs of ends. */
import { type ComparedEnd, isSingle } from './compared_ends.ts';
import type { Stance } from './stance.ts';

/** Ends that are the same to policy on both sides. */
export interface EndGroup {
  readonly before?: Stance;
  readonly after?: Stance;
  /** All of one kind. */
  readonly ends: readonly ComparedEnd[];
}

/** Puts ends together. @param apart ends that are not put together with others */
export function groupEnds(
  ends: readonly ComparedEnd[],
  apart: ReadonlySet<ComparedEnd> = new Set(),
): readonly EndGroup[] {
  const groups = Map.groupBy(
    ends,
    (end) => `${apart.has(end)} ${end.kind} ${end.before?.id} ${end.after?.id}`,
  );
  return [...groups.values()].map((group) => {
    const [{ before, after } = {}] = group;
    return {
      ends: group,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    };
  });
}

/**
 * Pairs of ends from one group to another that are asked about. A pod that is no workload has no other of its kind, and nobody asks
 * what pods may do that are not there.
 */
export function pairCount(from: EndGroup, to: EndGroup): number {
  if (!arePods(from) && !arePods(to)) return 0;
  const itself = from === to ? from.ends.filter(isSingle).length : 0;
  return from.ends.length * to.ends.length - itself;
}

/** Whether the ends are pods that are there. */
export function arePods({ ends }: EndGroup): boolean {
  return ends[0]?.kind === 'pods';
}
