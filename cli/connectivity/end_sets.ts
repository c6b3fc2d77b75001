/** Sets of ends in few words: `shop/*` for all workloads of a namespace. */
import { firstFew } from '../../common/first_few.ts';
import type { ComparedEnd } from './compared_ends.ts';
import type { EndGroup } from './end_groups.ts';
import { EXTERNAL, joinBlocks, networkText } from './networks.ts';

/** Workloads of one set that are named; the rest is a number. */
const SHOWN_WORKLOADS = 3;

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
  /** Networks first, then pods that may come: all of these are named. Of many workloads the first few are. */
  text(ends: readonly ComparedEnd[]): string;
}

/**
 * @param all what `*` is, and what `shop/*` has to be all of
 * @param isWide whether texts name everything
 */
export function createEndNames(all: readonly ComparedEnd[], isWide = false): EndNames {
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
    text: (ends) => textOf(parts(ends), isWide),
  };
}

/** Nobody is to miss that the Internet gets in, or anybody who makes such a pod: what is elided are workloads that are known. */
function textOf(parts: readonly EndPart[], isWide: boolean): string {
  const blocks = parts.flatMap((part) =>
    part.kind === 'end' && part.end.kind === 'network' ? part.end.blocks : [],
  );
  const outside = parts.filter((part) => part.kind === 'all' || part.kind === 'networks');
  const candidates = parts.filter((part) => part.kind === 'end' && part.end.kind === 'candidate');
  const workloads = parts.filter(
    (part) => part.kind === 'namespace' || (part.kind === 'end' && part.end.kind === 'pods'),
  );
  return [
    ...outside.map(({ name }) => name),
    ...(blocks.length === 0 ? [] : [networkText(joinBlocks(blocks), isWide)]),
    ...candidates.map(({ name }) => name),
    ...(workloads.length === 0
      ? []
      : [
          firstFew(
            workloads.map(({ name }) => name),
            isWide ? workloads.length : SHOWN_WORKLOADS,
          ),
        ]),
  ].join(', ');
}

/** No namespace has such a name. */
const NETWORKS = '*networks*';

function placeOf(end: ComparedEnd): string | undefined {
  if (end.kind === 'network') return NETWORKS;
  return end.kind === 'pods' ? end.namespace : undefined;
}
