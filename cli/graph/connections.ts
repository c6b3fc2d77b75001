/** The connections of a graph, put together as people read and draw them. */
import { compareTexts } from '../../policy/index.ts';
import {
  type ComparedEnd,
  createEndNames,
  type EndGroup,
  type EndPart,
  type IsolatingRule,
  joinPairs,
  type PortSet,
} from '../connectivity/index.ts';
import { type Edge, rulesOf } from './edges.ts';

/** Sources and destinations, of which each reaches each at these ports and by these rules. */
export interface Connection {
  readonly from: readonly EndPart[];
  readonly to: readonly EndPart[];
  /** The same, for people. */
  readonly fromText: string;
  readonly toText: string;
  readonly ports: PortSet;
  /** None: no policy isolates either end. */
  readonly rules: readonly IsolatingRule[];
}

/** By destination. @param all what `shop/*` has to be all of @param isWide whether texts name everything */
export function connectionsOf(
  edges: readonly Edge[],
  all: readonly ComparedEnd[],
  isWide = false,
): readonly Connection[] {
  const names = createEndNames(all, isWide);
  const pairs = edges.map((edge) => ({ ...edge, rules: rulesOf(edge) }));
  const joined = joinPairs<EndGroup, (typeof pairs)[number]>(pairs, ({ ports, rules }) =>
    JSON.stringify([ports.key, rules]),
  );
  return joined
    .map(({ alike: { ports, rules }, from, to }): Connection => {
      const [sources, destinations] = [names.endsOf(from), names.endsOf(to)];
      return {
        from: names.parts(sources),
        to: names.parts(destinations),
        fromText: names.text(sources),
        toText: names.text(destinations),
        ports,
        rules,
      };
    })
    .sort(
      (a, b) =>
        compareTexts(a.toText, b.toText) ||
        compareTexts(a.fromText, b.fromText) ||
        compareTexts(a.ports.key, b.ports.key),
    );
}
