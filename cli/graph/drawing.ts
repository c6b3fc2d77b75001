/** A graph as nodes with ids of our own and edges with labels: what mermaid, dot and svg draw. */
import { SluiceError, unreachable } from '../../common/errors.ts';
import { firstFew } from '../../common/first_few.ts';
import { type ComparedEnd, type EndPart, portsText } from '../connectivity/index.ts';
import type { Connection } from './connections.ts';

/** One node. */
export interface DrawnNode {
  /** `n0`, `n1`, …: names of others are in labels only. */
  readonly id: string;
  readonly label: string;
  readonly kind: 'pods' | 'network' | 'candidate' | 'set';
  /** The namespace that it is drawn in. */
  readonly namespace?: string;
}

/** One edge. */
export interface DrawnEdge {
  readonly from: DrawnNode;
  readonly to: DrawnNode;
  readonly label: string;
}

/** All that is drawn. */
export interface Drawing {
  readonly nodes: readonly DrawnNode[];
  readonly edges: readonly DrawnEdge[];
  /** In the order of their first nodes. */
  readonly namespaces: readonly string[];
}

/** Nodes and edges at most: what is larger nobody can read, and programs that draw choke on it. */
const MAX = { nodes: 150, edges: 1_000 } as const;

/** Policies that a label names. */
const SHOWN_POLICIES = 2;

/**
 * Ends that have no connection are drawn too, where they are asked for.
 * @param alone those
 * @throws SluiceError `INPUT_TOO_LARGE`
 */
export function drawingOf(connections: readonly Connection[], alone: readonly ComparedEnd[]): Drawing {
  const count = connections.reduce((sum, { from, to }) => sum + from.length * to.length, 0);
  if (count > MAX.edges) throw tooLarge(`${count} connections`, MAX.edges);
  const nodes = new Map<string, DrawnNode>();
  const nodeOf = (part: EndPart): DrawnNode => {
    const key = `${part.kind} ${part.name}`;
    const known = nodes.get(key) ?? makeNode(`n${nodes.size}`, part);
    nodes.set(key, known);
    return known;
  };
  for (const end of alone) nodeOf({ kind: 'end', end, name: end.name });
  const edges = connections.flatMap((connection) =>
    connection.from.flatMap((from) =>
      connection.to.map(
        (to): DrawnEdge => ({ from: nodeOf(from), to: nodeOf(to), label: labelOf(connection) }),
      ),
    ),
  );
  const all = [...nodes.values()];
  if (all.length > MAX.nodes) throw tooLarge(`${all.length} nodes`, MAX.nodes);
  const namespaces = [
    ...new Set(all.flatMap(({ namespace }) => (namespace === undefined ? [] : [namespace]))),
  ];
  return { nodes: all, edges, namespaces };
}

function tooLarge(what: string, max: number): SluiceError {
  return new SluiceError(
    'INPUT_TOO_LARGE',
    `${what}, and a drawing has ${max} at most: narrow it with --focus NAME or --focus 'NAMESPACE/*', or use -o text`,
  );
}

function makeNode(id: string, part: EndPart): DrawnNode {
  switch (part.kind) {
    case 'all':
      return { id, label: part.name, kind: 'set' };
    case 'networks':
      return { id, label: part.name, kind: 'network' };
    case 'namespace':
      return { id, label: part.name, kind: 'set', namespace: part.namespace };
    case 'end': {
      const { end, name } = part;
      if (end.kind !== 'pods') return { id, label: name, kind: end.kind };
      const short = name.slice(end.namespace.length + 1);
      return {
        id,
        label: end.after?.ingress === undefined ? `${short} (ingress open)` : short,
        kind: end.kind,
        namespace: end.namespace,
      };
    }
    default:
      return unreachable(part);
  }
}

function labelOf({ ports, rules }: Connection): string {
  const names = [...new Set(rules.map(({ policy }) => policy.name))];
  return `${portsText(ports)}${names.length === 0 ? '' : ` by ${firstFew(names, SHOWN_POLICIES)}`}`;
}
