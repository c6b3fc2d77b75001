/** A smooth line through some points. */
import type { Point } from './places.ts';

/** The `d` of an SVG path: it begins and ends at the first and the last point, and is drawn towards those between (a B-spline). */
export function curve(points: readonly Point[]): string {
  const [first, second] = points;
  const last = points.at(-1);
  if (first === undefined || second === undefined || last === undefined) return '';
  if (points.length === 2) return `M${xy(first)}L${xy(last)}`;
  let d = `M${xy(first)}L${xy(between(first, second, 1 / 6))}`;
  for (let at = 1; at < points.length - 1; at += 1) {
    const [a, b, c] = [points[at - 1], points[at], points[at + 1]];
    if (a === undefined || b === undefined || c === undefined) continue;
    const end = { x: (a.x + 4 * b.x + c.x) / 6, y: (a.y + 4 * b.y + c.y) / 6 };
    d += `C${xy(between(a, b, 1 / 3))} ${xy(between(a, b, 2 / 3))} ${xy(end)}`;
  }
  const before = points.at(-2) ?? first;
  d += `C${xy(between(before, last, 1 / 3))} ${xy(between(before, last, 2 / 3))} ${xy(between(before, last, 5 / 6))}`;
  return `${d}L${xy(last)}`;
}

function between(a: Point, b: Point, part: number): Point {
  return { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
}

function xy({ x, y }: Point): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}
