/** Pairs of ends put together as people read them. */

/** Sources and destinations of which each reaches each alike. */
export interface JoinedPairs<T, Alike> {
  readonly alike: Alike;
  readonly from: readonly T[];
  readonly to: readonly T[];
}

/**
 * Puts pairs together that are alike: destinations with the same sources are one.
 * @param keyOf equal for pairs that are alike
 */
export function joinPairs<T, Pair extends { readonly from: T; readonly to: T }>(
  pairs: readonly Pair[],
  keyOf: (pair: Pair) => string,
): readonly JoinedPairs<T, Pair>[] {
  const numbers = new Map<T, number>();
  const numberOf = (one: T): number => {
    const known = numbers.get(one) ?? numbers.size;
    numbers.set(one, known);
    return known;
  };
  return [...Map.groupBy(pairs, keyOf).values()].flatMap((alike) => {
    const [first] = alike;
    if (first === undefined) return [];
    const byDestination = Map.groupBy(alike, ({ to }) => to);
    const blocks = Map.groupBy(byDestination, ([, own]) => own.map(({ from }) => numberOf(from)).join());
    return [...blocks.values()].map((block) => ({
      alike: first,
      from: (block[0]?.[1] ?? []).map(({ from }) => from),
      to: block.map(([to]) => to),
    }));
  });
}
