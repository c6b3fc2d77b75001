/** Runs of addresses as people read them: in order, and joined where one goes on where another ends. */
import { numberOf } from '../public_addresses.ts';

/** Consecutive addresses, both ends inclusive. */
export interface AddressRun {
  readonly first: string;
  readonly last: string;
}

/** By family, IPv4 first, and by the first address. @param runs none overlaps another */
export function joinedRuns(runs: readonly AddressRun[]): readonly AddressRun[] {
  const sorted = runs
    .map((run) => ({ ...run, start: numberOf(run.first), end: numberOf(run.last) }))
    .sort(({ start: a }, { start: b }) => {
      if (a?.bits !== b?.bits) return (a?.bits ?? 0) - (b?.bits ?? 0);
      return (a?.first ?? 0n) < (b?.first ?? 0n) ? -1 : 1;
    });
  const joined: (typeof sorted)[number][] = [];
  for (const run of sorted) {
    const before = joined.at(-1);
    const goesOn =
      before?.end !== undefined &&
      before.end.bits === run.start?.bits &&
      before.end.first + 1n === run.start.first;
    if (goesOn) joined.splice(-1, 1, { ...before, last: run.last, end: run.end });
    else joined.push(run);
  }
  return joined;
}
