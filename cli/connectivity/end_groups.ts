/** Ends that no policy tells apart: what holds for one pair of groups holds for all their pairs of ends. */
import type { ComparedEnd } from './compared_ends.ts';
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
