/** Sets of ends in few words: `shop/*` for all workloads of a namespace. */
import type { ComparedEnd } from './compared_ends.ts';

/** Ends of one set that are named; the rest is a number. */
const SHOWN_ENDS = 3;

/** Names sets of some ends. */
export interface EndNames {
  text(ends: readonly ComparedEnd[]): string;
}

/** @param all what `shop/*` has to be all of */
export function createEndNames(all: readonly ComparedEnd[]): EndNames {
  const sizes = new Map([...Map.groupBy(all, placeOf)].map(([place, ends]) => [place, ends.length]));
  return {
    text(ends) {
      if (ends.length === all.length && all.length > 1) return '*';
      const names = [...Map.groupBy(ends, placeOf)].flatMap(([place, own]) =>
        place !== NETWORKS && own.length > 1 && own.length === sizes.get(place)
          ? [`${place}/*`]
          : own.map(({ name }) => name),
      );
      const more = names.length - SHOWN_ENDS;
      return `${names.slice(0, SHOWN_ENDS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    },
  };
}

/** No namespace has such a name. */
const NETWORKS = '*networks*';

function placeOf(end: ComparedEnd): string {
  return end.kind === 'pods' ? end.namespace : NETWORKS;
}
