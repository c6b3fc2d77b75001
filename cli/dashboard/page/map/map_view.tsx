/** The map: workloads by namespace, and the links between them. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { LinkGraph } from '../model/index.ts';
import type { Selection } from '../selection.ts';
import { markShown } from '../shown_mark.ts';
import { createLayouts } from './layouts.ts';
import { Legend } from './legend.tsx';
import { endSize, MapEnd } from './map_end.tsx';
import { MapLabel, MapLink } from './map_link.tsx';
import type { Layout } from './places.ts';
import { type Item, isStepKey, stepFrom } from './steps.ts';
import { useViewBox } from './use_view_box.ts';

/** What the map is given. */
export interface MapProps {
  readonly graph: LinkGraph;
  /** Pods of a workload, by the name of its end. */
  readonly pods: ReadonlyMap<string, number>;
  readonly selection: Selection | undefined;
  readonly nowMs: number;
  onSelect(selection: Selection): void;
}

/** Draws what the worker has placed; until it has, the map before stays. */
export function MapView({ graph, pods, selection, nowMs, onSelect }: MapProps) {
  const svg = useRef<SVGSVGElement>(null);
  const { layout, drawn, problem } = useLayout(graph, pods);
  const view = useViewBox(svg, layout?.width ?? 0, layout?.height ?? 0);
  const [focused, setFocused] = useState<Item>();
  useEffect(() => {
    if (layout !== undefined) markShown();
  }, [layout]);
  const shown = useMemo(() => withLayout(graph, layout), [graph, layout]);
  const tabStop = focused !== undefined && isThere(focused, layout) ? focused : firstItem(drawn);
  const near = nearSelection(shown, selection);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === '+' || event.key === '=') view.zoom('in');
    else if (event.key === '-') view.zoom('out');
    else if (event.key === '0') view.fit();
    if (layout === undefined || tabStop === undefined || event.ctrlKey || event.metaKey || event.altKey)
      return;
    if (event.key === 'Enter' || event.key === ' ') onSelect(tabStop);
    else if (isStepKey(event.key)) {
      const next = stepFrom(tabStop, event.key, shown, layout);
      if (next !== undefined) {
        setFocused(next);
        svg.current
          ?.querySelector<SVGElement>(`[tabindex][data-item="${CSS.escape(itemId(next))}"]`)
          ?.focus();
        const place = layout.ends.get(next.id) ?? labelBox(layout, next.id);
        if (place !== undefined) view.reveal(place);
      }
    } else return;
    event.preventDefault();
  };

  const common = (item: Item) => ({
    id: itemId(item),
    tabIndex: tabStop !== undefined && itemId(tabStop) === itemId(item) ? 0 : -1,
    isSelected: selection?.kind === item.kind && selection.id === item.id,
    isDim: near !== undefined && !near.has(itemId(item)),
    onPick: () => {
      setFocused(item);
      onSelect(item);
    },
    onFocus: () => setFocused(item),
  });
  const { box } = view;
  return (
    <div class="map">
      <svg
        ref={svg}
        viewBox={`${box.x} ${box.y} ${box.w} ${box.h}`}
        role="application"
        aria-label="Map of workloads. Arrow keys follow links, Enter opens what has the focus, plus and minus zoom."
        onKeyDown={onKeyDown}
      >
        <defs>
          {(['allow', 'deny', 'cut', 'audit', 'unused'] as const).map((state) => (
            <marker
              key={state}
              id={`arrow-${state}`}
              class={`arrow ${state}`}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              markerUnits="userSpaceOnUse"
              orient="auto-start-reverse"
            >
              <path d="M0.5,0.8L7.5,4L0.5,7.2z" />
            </marker>
          ))}
        </defs>
        {layout !== undefined && (
          <>
            {[...layout.groups].map(([group, { x, y, width, height }]) => (
              <g key={group} class="group">
                <rect x={x - width / 2} y={y - height / 2} width={width} height={height} rx="12" />
                <text x={x - width / 2 + 14} y={y - height / 2 + 20}>
                  {group}
                </text>
              </g>
            ))}
            {shown.links.map((link) => {
              const place = layout.links.get(link.id);
              const item = common({ kind: 'link', id: link.id });
              return (
                place && <MapLink key={link.id} link={link} nowMs={nowMs} points={place.points} {...item} />
              );
            })}
            {shown.links.map((link) => {
              const place = layout.links.get(link.id);
              const item = common({ kind: 'link', id: link.id });
              return place && <MapLabel key={link.id} link={link} nowMs={nowMs} at={place.label} {...item} />;
            })}
            {shown.ends.map((end) => {
              const place = layout.ends.get(end.id);
              if (place === undefined) return null;
              return (
                <MapEnd
                  key={end.id}
                  end={end}
                  pods={pods.get(end.name)}
                  box={place}
                  {...common({ kind: 'end', id: end.id })}
                />
              );
            })}
          </>
        )}
      </svg>
      {layout === undefined && <p class="empty">{problem === '' ? 'Placing workloads…' : problem}</p>}
      {layout !== undefined && graph.ends.length === 0 && <p class="empty">Nothing was observed here.</p>}
      <Legend />
      <div class="zoom">
        <button type="button" aria-label="Zoom in" onClick={() => view.zoom('in')}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => view.zoom('out')}>
          −
        </button>
        <button type="button" aria-label="Show all of the map" onClick={view.fit}>
          ⤢
        </button>
      </div>
    </div>
  );
}

/** The layout of the newest graph that has one. It stays as it is while only counts change. */
function useLayout(graph: LinkGraph, pods: ReadonlyMap<string, number>) {
  const layouts = useRef<ReturnType<typeof createLayouts> | undefined>(undefined);
  const [state, setState] = useState<{ layout?: Layout; drawn?: LinkGraph; problem: string }>({
    problem: '',
  });
  useEffect(() => {
    layouts.current = createLayouts();
    return () => layouts.current?.close();
  }, []);
  const form = JSON.stringify([graph.ends.map(({ id }) => id), graph.links.map(({ id }) => id).toSorted()]);
  useEffect(() => {
    const input = {
      ends: graph.ends.map((end) => ({
        id: end.id,
        group: isSource(end, graph) ? `from ${end.group}` : end.group,
        ...endSize(end, pods.get(end.name)),
      })),
      links: graph.links
        .map(({ id, from, to }) => ({ id, from: from.id, to: to.id }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    };
    layouts.current?.ask(input, (layout, problem) =>
      setState((before) => ({
        ...before,
        problem,
        ...(layout === undefined ? {} : { layout, drawn: graph }),
      })),
    );
  }, [form]);
  return state;
}

/** What is in no namespace and only opens connections stands on the left, apart from others of its kind. */
function isSource({ id, isNamespaced, group }: LinkGraph['ends'][number], { links }: LinkGraph): boolean {
  return (
    !isNamespaced &&
    group !== '' &&
    links.some(({ from }) => from.id === id) &&
    !links.some(({ to }) => to.id === id)
  );
}

/** Only what has a place already. */
function withLayout({ ends, links }: LinkGraph, layout: Layout | undefined): LinkGraph {
  return {
    ends: ends.filter(({ id }) => layout?.ends.has(id)),
    links: links.filter(({ id }) => layout?.links.has(id)),
  };
}

function firstItem(graph: LinkGraph | undefined): Item | undefined {
  const id = graph?.ends[0]?.id;
  return id === undefined ? undefined : { kind: 'end', id };
}

function isThere({ kind, id }: Item, layout: Layout | undefined): boolean {
  return (kind === 'end' ? layout?.ends : layout?.links)?.has(id) ?? false;
}

function itemId({ kind, id }: Item): string {
  return `${kind} ${id}`;
}

function labelBox({ links }: Layout, id: string) {
  const label = links.get(id)?.label;
  return label === undefined ? undefined : { ...label, width: 60, height: 30 };
}

/** What has to do with the selection; undefined: nothing is selected on the map. */
function nearSelection(
  { links, ends }: LinkGraph,
  selection: Selection | undefined,
): Set<string> | undefined {
  const related = links.filter(
    ({ id, from, to }) => id === selection?.id || from.id === selection?.id || to.id === selection?.id,
  );
  if (selection === undefined || (related.length === 0 && !ends.some(({ id }) => id === selection.id)))
    return undefined;
  return new Set([
    itemId({ kind: 'end', id: selection.id }),
    ...related.flatMap(({ id, from, to }) => [
      itemId({ kind: 'link', id }),
      itemId({ kind: 'end', id: from.id }),
      itemId({ kind: 'end', id: to.id }),
    ]),
  ]);
}
