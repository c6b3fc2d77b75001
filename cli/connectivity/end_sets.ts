/** Sets of ends in few words: `shop/*` for all workloads of a namespace. */
import type { ComparedEnd } from './compared_ends.ts';
import { EXTERNAL } from './networks.ts';

/** Ends of one set that are named; the rest is a number. */
const SHOWN_ENDS = 3;

/** A part of a set that has a name of its own. */
export type EndPart =
  /** All ends, or all networks. */
  | { readonly kind: 'all' | 'networks'; readonly name: string }
  | { readonly kind: 'namespace'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'end'; readonly end: ComparedEnd; readonly name: string };

/** Names sets of some ends. */
export interface EndNames {
  parts(ends: readonly ComparedEnd[]): readonly EndPart[];
  text(ends: readonly ComparedEnd[]): string;
}

/** @param all what `*` is, and what `shop/*` has to be all of */
export function createEndNames(all: readonly ComparedEnd[]): EndNames {
  const sizes = new Map([...Map.groupBy(all, placeOf)].map(([place, ends]) => [place, ends.length]));
  const parts = (ends: readonly ComparedEnd[]): readonly EndPart[] => {
    if (ends.length === all.length && all.length > 1) return [{ kind: 'all', name: '*' }];
    return [...Map.groupBy(ends, placeOf)].flatMap(([place, own]): readonly EndPart[] => {
      const isWhole = place !== undefined && own.length > 1 && own.length === sizes.get(place);
      if (!isWhole) return own.map((end) => ({ kind: 'end', end, name: end.name }));
      if (place === NETWORKS) return [{ kind: 'networks', name: EXTERNAL }];
      return [{ kind: 'namespace', namespace: place, name: `${place}/*` }];
    });
  };
  return {
    parts,
    text(ends) {
      const names = parts(ends).map(({ name }) => name);
      const more = names.length - SHOWN_ENDS;
      return `${names.slice(0, SHOWN_ENDS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    },
  };
}

/** No namespace has such a name. */
const NETWORKS = '*networks*';

function placeOf(end: ComparedEnd): string | undefined {
  if (end.kind === 'network') return NETWORKS;
  return end.kind === 'pods' ? end.namespace : undefined;
}

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
