/** Where an arrow key leads on the map: along links, and else to what is nearest on the screen. */
import type { LinkGraph } from '../model/index.ts';
import type { Layout, Point } from './places.ts';

/** An end or a link of the map. */
export interface Item {
  readonly kind: 'end' | 'link';
  readonly id: string;
}

/** Keys that lead somewhere. */
export type StepKey = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown' | 'Home' | 'End';

/** Whether a key is one of them. */
export function isStepKey(key: string): key is StepKey {
  return /^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(key);
}

/** Undefined: nowhere. */
export function stepFrom(
  item: Item,
  key: StepKey,
  { ends, links }: LinkGraph,
  layout: Layout,
): Item | undefined {
  if (key === 'Home' || key === 'End') return endItem(key === 'Home' ? ends[0]?.id : ends.at(-1)?.id);
  const isForth = key === 'ArrowRight';
  const isAcross = key === 'ArrowLeft' || key === 'ArrowRight';
  if (item.kind === 'end') {
    if (!isAcross) return endItem(nearest(item.id, key === 'ArrowDown' ? 1 : -1, 'y', layout));
    const along = links.filter(({ from, to }) => (isForth ? from : to).id === item.id);
    const [first] = along.toSorted((a, b) => labelY(a.id, layout) - labelY(b.id, layout));
    if (first !== undefined) return { kind: 'link', id: first.id };
    return endItem(nearest(item.id, isForth ? 1 : -1, 'x', layout));
  }
  const link = links.find(({ id }) => id === item.id);
  if (link === undefined) return endItem(ends[0]?.id);
  if (isAcross) return endItem((isForth ? link.to : link.from).id);
  // Up and down go through the links of the same source, and then of the same destination.
  const siblings = links
    .filter(({ from, to }) => from.id === link.from.id || to.id === link.to.id)
    .toSorted((a, b) => labelY(a.id, layout) - labelY(b.id, layout));
  const next = siblings[siblings.indexOf(link) + (key === 'ArrowDown' ? 1 : -1)];
  return next === undefined ? undefined : { kind: 'link', id: next.id };
}

function endItem(id: string | undefined): Item | undefined {
  return id === undefined ? undefined : { kind: 'end', id };
}

function labelY(id: string, { links }: Layout): number {
  return links.get(id)?.label.y ?? 0;
}

/** The end that is nearest in one direction; what is aside counts double. */
function nearest(id: string, sign: 1 | -1, axis: 'x' | 'y', { ends }: Layout): string | undefined {
  const here = ends.get(id);
  if (here === undefined) return undefined;
  const cross = axis === 'x' ? 'y' : 'x';
  let best: { readonly id: string; readonly far: number } | undefined;
  for (const [other, place] of ends) {
    const ahead = (place[axis] - here[axis]) * sign;
    if (other === id || ahead <= 1) continue;
    const far = ahead + 2 * Math.abs(place[cross] - (here as Point)[cross]);
    if (best === undefined || far < best.far) best = { id: other, far };
  }
  return best?.id;
}
