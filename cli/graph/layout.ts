/**
 * Places for the nodes of a drawing: a band for each namespace, and columns in the direction of connections. Small graphs look well
 * with it, and larger ones are not drawn, so that no library is needed.
 */
import type { Drawing, DrawnEdge, DrawnNode } from './drawing.ts';

/** A rectangle. Pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where everything is. */
export interface Layout {
  readonly nodes: ReadonlyMap<DrawnNode, Box>;
  /** By namespace. */
  readonly bands: ReadonlyMap<string, Box>;
  readonly width: number;
  readonly height: number;
}

/** Between nodes sideways: labels of edges stand there. */
const COLUMN_GAP = 180;
const ROW_GAP = 24;
const MARGIN = 20;
/** Above the nodes of a band: its name. */
const TITLE = 26;
const NODE_HEIGHT = 34;
const MIN_WIDTH = 80;
/** Of the font that is drawn with, 12 px. */
const CHARACTER_WIDTH = 7;
/** Characters of a label that are drawn; all of them are in its title. */
export const SHOWN_CHARACTERS = 48;

/** Nodes without a namespace come first, in a band without a name. */
export function layoutOf({ nodes, edges, namespaces }: Drawing): Layout {
  const columns = columnsOf(nodes, edges);
  const count = Math.max(0, ...columns.values()) + 1;
  const widths = Array.from({ length: count }, () => MIN_WIDTH);
  for (const node of nodes) {
    const column = columns.get(node) ?? 0;
    widths[column] = Math.max(widths[column] ?? MIN_WIDTH, widthOf(node));
  }
  const starts: number[] = [];
  let x = 2 * MARGIN;
  for (const width of widths) {
    starts.push(x);
    x += width + COLUMN_GAP;
  }
  const width = x - COLUMN_GAP + 2 * MARGIN;

  const places = new Map<DrawnNode, Box>();
  const bands = new Map<string, Box>();
  let y = MARGIN;
  for (const namespace of [undefined, ...namespaces]) {
    const own = nodes.filter((node) => node.namespace === namespace);
    if (own.length === 0) continue;
    const used = widths.map(() => 0);
    for (const node of own) {
      const column = columns.get(node) ?? 0;
      const row = used[column] ?? 0;
      used[column] = row + 1;
      places.set(node, {
        x: starts[column] ?? 0,
        y: y + TITLE + row * (NODE_HEIGHT + ROW_GAP),
        width: widths[column] ?? MIN_WIDTH,
        height: NODE_HEIGHT,
      });
    }
    const height = TITLE + Math.max(...used) * (NODE_HEIGHT + ROW_GAP);
    if (namespace !== undefined) bands.set(namespace, { x: MARGIN, y, width: width - 2 * MARGIN, height });
    y += height + MARGIN;
  }
  return { nodes: places, bands, width, height: y };
}

function widthOf({ label }: DrawnNode): number {
  return Math.min([...label].length, SHOWN_CHARACTERS) * CHARACTER_WIDTH + 2 * CHARACTER_WIDTH;
}

/** How far each node is along the longest way to it; edges that lead back to where one came from do not count. */
function columnsOf(nodes: readonly DrawnNode[], edges: readonly DrawnEdge[]): ReadonlyMap<DrawnNode, number> {
  const out = Map.groupBy(edges, ({ from }) => from);
  const state = new Map<DrawnNode, 'open' | 'done'>();
  const order: DrawnNode[] = [];
  const back = new Set<DrawnEdge>();
  const visit = (node: DrawnNode): void => {
    state.set(node, 'open');
    for (const edge of out.get(node) ?? []) {
      const seen = state.get(edge.to);
      if (seen === 'open') back.add(edge);
      else if (seen === undefined) visit(edge.to);
    }
    state.set(node, 'done');
    order.push(node);
  };
  for (const node of nodes) if (!state.has(node)) visit(node);
  const columns = new Map<DrawnNode, number>(nodes.map((node) => [node, 0]));
  for (const node of order.reverse())
    for (const edge of out.get(node) ?? [])
      if (!back.has(edge))
        columns.set(edge.to, Math.max(columns.get(edge.to) ?? 0, (columns.get(node) ?? 0) + 1));
  return columns;
}
