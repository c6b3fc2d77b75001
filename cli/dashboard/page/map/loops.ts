/** Links from an end to itself hang below it, one below the other. */
import type { Box, Layout, LayoutLink } from './places.ts';

/** The height of one, with its label. */
const LOOP_HEIGHT = 27;

/** How far they reach beyond the sides of their end. */
const BEYOND = 6;

/** By their end. */
export type Loops = ReadonlyMap<string, readonly LayoutLink[]>;

/** Which links are such, and which are not. */
export function partLoops(links: readonly LayoutLink[]): {
  readonly loops: Loops;
  readonly others: readonly LayoutLink[];
} {
  return {
    loops: Map.groupBy(
      links.filter(({ from, to }) => from === to),
      ({ from }) => from,
    ),
    others: links.filter(({ from, to }) => from !== to),
  };
}

/** The place that the loops of an end need below it. */
export function loopsHeight(loops: Loops, end: string): number {
  return (loops.get(end)?.length ?? 0) * LOOP_HEIGHT;
}

/** The box of an end together with its loops. */
export function withLoops(box: Box | undefined, height: number): readonly Box[] {
  if (box === undefined) return [];
  return [{ ...box, y: box.y + height / 2, height: box.height + height }];
}

/** Their lines: down from the right corner, and up to the left one. */
export function loopPaths(loops: Loops, ends: ReadonlyMap<string, Box>): Layout['links'] {
  const paths = new Map<string, { points: { x: number; y: number }[]; label: { x: number; y: number } }>();
  for (const [end, links] of loops) {
    const box = ends.get(end);
    if (box === undefined) continue;
    const bottom = box.y + box.height / 2;
    for (const [at, { id }] of links.entries()) {
      const y = bottom + (at + 0.65) * LOOP_HEIGHT;
      const inset = 14 + 5 * at;
      const [left, right] = [box.x - box.width / 2, box.x + box.width / 2];
      paths.set(id, {
        points: [
          { x: right - inset, y: bottom },
          { x: right - inset + BEYOND, y },
          { x: box.x, y },
          { x: left + inset - BEYOND, y },
          { x: left + inset, y: bottom },
        ],
        label: { x: box.x, y },
      });
    }
  }
  return paths;
}
