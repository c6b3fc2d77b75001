/** Where ends and links are drawn: layers from left to right, ends of one namespace together. */
import { graphlib, layout } from '@dagrejs/dagre';
import { loopPaths, loopsHeight, partLoops, withLoops } from './loops.ts';
import type { Box, Layout, LayoutInput, Point } from './places.ts';
import { atSides, type Route } from './sides.ts';

/** The place of a count on a link. */
const LABEL = { width: 46, height: 18 };

/** Around the ends of a namespace; above them is its name. */
const PAD = { side: 16, top: 32, bottom: 16 };

/** How wide a character of a namespace's name is. */
const TITLE_CHARACTER = 7.6;

/** Works it out: some tenths of a second for 60 ends. */
export function layoutOf({ ends, links }: LayoutInput): Layout {
  const graph = new graphlib.Graph({ directed: true, multigraph: true, compound: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 26, edgesep: 18, ranksep: 58, marginx: 30, marginy: 30 });
  graph.setDefaultEdgeLabel(() => ({}));
  const { loops, others } = partLoops(links);
  for (const group of new Set(ends.map((end) => end.group)))
    if (group !== '') graph.setNode(groupId(group), {});
  for (const { id, group, width, height } of ends) {
    graph.setNode(id, { width, height: height + loopsHeight(loops, id) });
    if (group !== '') graph.setParent(id, groupId(group));
  }
  for (const { id, from, to } of others) graph.setEdge(from, to, { ...LABEL, labelpos: 'c' }, id);
  layout(graph);
  const boxes = new Map(
    ends.map(({ id, width, height }): [string, Box] => {
      const { x = 0, y = 0 } = graph.node(id);
      return [id, { x, y: y - loopsHeight(loops, id) / 2, width, height }];
    }),
  );
  const groups = new Map<string, Box>();
  for (const [group, members] of Map.groupBy(ends, (end) => end.group)) {
    const within = members.flatMap(({ id }) => withLoops(boxes.get(id), loopsHeight(loops, id)));
    if (group !== '') groups.set(group, around(within, group.length * TITLE_CHARACTER));
  }
  const routes = others.map(({ id, from, to }): Route => {
    const { points = [], x, y } = graph.edge({ v: from, w: to, name: id });
    const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
    return { id, from, to, points, label: { x: x ?? middle.x, y: y ?? middle.y } };
  });
  const paths = new Map([...atSides(routes, boxes), ...loopPaths(loops, boxes)]);
  return moved(boxes, groups, paths);
}

function groupId(group: string): string {
  return `group ${group}`;
}

function around(boxes: readonly Box[], title: number): Box {
  const left = Math.min(...boxes.map(({ x, width }) => x - width / 2)) - PAD.side;
  const right = Math.max(left + title, ...boxes.map(({ x, width }) => x + width / 2)) + PAD.side;
  const top = Math.min(...boxes.map(({ y, height }) => y - height / 2)) - PAD.top;
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height / 2)) + PAD.bottom;
  return { x: (left + right) / 2, y: (top + bottom) / 2, width: right - left, height: bottom - top };
}

/** So that all of it begins at 0, margins included. */
function moved(
  ends: ReadonlyMap<string, Box>,
  groups: ReadonlyMap<string, Box>,
  links: Layout['links'],
): Layout {
  const margin = 12;
  const points = [...links.values()].flatMap((link) => link.points);
  const edges = [...groups.values()].flatMap(({ x, y, width, height }) => [
    { x: x - width / 2, y: y - height / 2 },
    { x: x + width / 2, y: y + height / 2 },
  ]);
  const all = [...points, ...edges];
  const [left, top] = [least(all.map(({ x }) => x)) - margin, least(all.map(({ y }) => y)) - margin];
  const shift = <P extends Point>(point: P): P => ({ ...point, x: point.x - left, y: point.y - top });
  return {
    width: Math.max(0, ...all.map(({ x }) => x)) + margin - left,
    height: Math.max(0, ...all.map(({ y }) => y)) + margin - top,
    ends: new Map([...ends].map(([id, box]) => [id, shift(box)])),
    groups: new Map([...groups].map(([id, box]) => [id, shift(box)])),
    links: new Map(
      [...links].map(([id, link]) => [id, { points: link.points.map(shift), label: shift(link.label) }]),
    ),
  };
}

function least(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : Math.min(...numbers);
}
