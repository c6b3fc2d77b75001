/** Links leave an end at its right side and reach the next at its left one, one below the other in the order in which they go. */
import type { Box, Layout, LayoutLink, Point } from './places.ts';

/** A link as dagre routes it: from border to border, by points between. */
export interface Route extends LayoutLink {
  readonly points: readonly Point[];
  readonly label: Point;
}

/** How far a line goes straight before it bends. */
const STRAIGHT = 16;

/** What of a side stays free at its top and bottom. */
const FREE = 9;

/** Links that go back do so from a left side to a right one. Those between ends above each other stay as they are. */
export function atSides(routes: readonly Route[], ends: ReadonlyMap<string, Box>): Layout['links'] {
  const tied = routes.flatMap((route) => tiedTo(route, ends));
  const heights = heightsOf(tied, ends);
  return new Map(
    routes.map(({ id, points, label }): [string, Omit<Route, keyof LayoutLink>] => {
      const [start, stop] = [heights.get(`${id} start`), heights.get(`${id} stop`)];
      if (start === undefined || stop === undefined) return [id, { points, label }];
      const all = [start.at, start.before, ...points.slice(1, -1), stop.before, stop.at];
      return [id, byLabel(all, label)];
    }),
  );
}

/** Where one end of a link is tied to. */
interface Tie {
  /** `start` or `stop` of a link. */
  readonly of: string;
  readonly end: string;
  /** 1: the right side, -1: the left one. */
  readonly side: 1 | -1;
  /** The height to which the link goes from there. */
  readonly towards: number;
}

function tiedTo({ id, from, to, points }: Route, ends: ReadonlyMap<string, Box>): readonly Tie[] {
  const [source, target] = [ends.get(from), ends.get(to)];
  if (source === undefined || target === undefined) return [];
  const isForth = sideOf(source, 1) < sideOf(target, -1);
  const isBack = sideOf(source, -1) > sideOf(target, 1);
  if (!isForth && !isBack) return [];
  const side = isForth ? 1 : -1;
  return [
    { of: `${id} start`, end: from, side, towards: points[1]?.y ?? 0 },
    { of: `${id} stop`, end: to, side: isForth ? -1 : 1, towards: points.at(-2)?.y ?? 0 },
  ];
}

/**
 * The line is drawn past the point that dagre kept free for the label, and goes there twice: then it nearly touches it, and the labels
 * of several links stay apart.
 */
function byLabel(points: readonly Point[], free: Point): Pick<Route, 'points' | 'label'> {
  const far = (point: Point) => Math.hypot(point.x - free.x, point.y - free.y);
  let at = 1;
  for (let index = 2; index < points.length - 1; index += 1)
    if (far(points[index] ?? free) < far(points[at] ?? free)) at = index;
  const [a, b, c] = [points[at - 1], points[at], points[at + 1]];
  if (a === undefined || b === undefined || c === undefined) return { points, label: free };
  return {
    points: points.toSpliced(at, 0, b),
    label: { x: (a.x + 10 * b.x + c.x) / 12, y: (a.y + 10 * b.y + c.y) / 12 },
  };
}

/** Where on its side each tie has its place, and a point before it from which the line goes straight. */
function heightsOf(ties: readonly Tie[], ends: ReadonlyMap<string, Box>) {
  const found = new Map<string, { readonly at: Point; readonly before: Point }>();
  for (const group of Map.groupBy(ties, ({ end, side }) => `${side} ${end}`).values()) {
    const sorted = group.toSorted((a, b) => a.towards - b.towards);
    for (const [index, { of, end, side }] of sorted.entries()) {
      const box = ends.get(end);
      if (box === undefined) continue;
      const room = box.height - 2 * FREE;
      const y = sorted.length === 1 ? box.y : box.y - room / 2 + (index * room) / (sorted.length - 1);
      const x = sideOf(box, side);
      found.set(of, { at: { x, y }, before: { x: x + side * STRAIGHT, y } });
    }
  }
  return found;
}

function sideOf({ x, width }: Box, side: 1 | -1): number {
  return x + (side * width) / 2;
}
