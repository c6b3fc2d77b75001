/** Who reaches whom, as edges between groups of ends that are the same to policy. */
import {
  directionsOf,
  type EndGroup,
  type IsolatingRule,
  intersection,
  isJudged,
  type PortSet,
  pairCount,
  portsBetween,
} from '../connectivity/index.ts';

/** Ports that are open from each end of one group to each of another. */
export interface Edge {
  readonly from: EndGroup;
  readonly to: EndGroup;
  readonly ports: PortSet;
  /** Whether a policy isolates one of the ends, so that rules decide. */
  readonly isDecided: boolean;
  /** Pairs of ends that it stands for. */
  readonly pairs: number;
}

/** Groups gone through in one turn of the event loop, between which a time limit counts. */
const GROUPS_A_TURN = 50;

/**
 * All edges.
 * @param turn is waited for now and then
 * @param only edges from or to these are asked for; default all
 */
export async function edgesOf(
  groups: readonly EndGroup[],
  turn: (done: number) => Promise<void>,
  only: readonly EndGroup[] = groups,
): Promise<readonly Edge[]> {
  const wanted = new Set(only);
  const edges: Edge[] = [];
  for (const [at, from] of groups.entries()) {
    if (at % GROUPS_A_TURN === 0) await turn(at);
    for (const to of wanted.has(from) ? groups : only) {
      const edge = edgeBetween(from, to);
      if (edge !== undefined) edges.push(edge);
    }
  }
  return edges;
}

function edgeBetween(from: EndGroup, to: EndGroup): Edge | undefined {
  const [source, destination] = [from.after, to.after];
  if (source === undefined || destination === undefined || !isJudged(source, destination)) return undefined;
  const pairs = pairCount(from, to);
  if (pairs === 0) return undefined;
  const ports = portsBetween(source, destination);
  if (ports.ranges.length === 0) return undefined;
  return {
    from,
    to,
    ports,
    isDecided: source.egress !== undefined || destination.ingress !== undefined,
    pairs,
  };
}

/** The rules that open ports of an edge: at the source, then at the destination. */
export function rulesOf({ from, to, ports }: Edge): readonly IsolatingRule[] {
  if (from.after === undefined || to.after === undefined) return [];
  const { source, destination } = directionsOf(from.after, to.after);
  const openings = [
    ...(from.after.egress?.openings(destination) ?? []),
    ...(to.after.ingress?.openings(source) ?? []),
  ];
  return openings
    .filter((opening) => intersection(opening.ports, ports).ranges.length > 0)
    .map(({ rule }) => rule);
}
