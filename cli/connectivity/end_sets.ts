/** Sets of ends in few words: `shop/*` for all workloads of a namespace. */
import { firstFew } from '../../common/first_few.ts';
import type { ComparedEnd } from './compared_ends.ts';
import type { EndGroup } from './end_groups.ts';
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
  /** The ends of some groups, in the order of all. */
  endsOf(groups: readonly EndGroup[]): readonly ComparedEnd[];
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
  const order = new Map(all.map((end, at) => [end, at]));
  const place = (end: ComparedEnd): number => order.get(end) ?? 0;
  return {
    endsOf: (groups) => groups.flatMap(({ ends }) => ends).sort((a, b) => place(a) - place(b)),
    parts,
    text: (ends) =>
      firstFew(
        parts(ends).map(({ name }) => name),
        SHOWN_ENDS,
      ),
  };
}

/** No namespace has such a name. */
const NETWORKS = '*networks*';

function placeOf(end: ComparedEnd): string | undefined {
  if (end.kind === 'network') return NETWORKS;
  return end.kind === 'pods' ? end.namespace : undefined;
}
