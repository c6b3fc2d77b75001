/** The heads of the matrix. They are for the eye: each cell says both of its names. */
import type { End } from '../model/index.ts';
import { CELL, indices, type Span } from './sizes.ts';

/** What heads are given. */
interface HeadProps {
  readonly ends: readonly End[];
  readonly span: Span;
  /** Of the cell where the keys are. */
  readonly at: number;
}

/** Names of destinations, and above them their namespaces. */
export function ColumnHeads({ ends, span, at }: HeadProps) {
  return (
    <div class="column-heads" aria-hidden="true">
      {bandsOf(ends)
        .filter(({ first, end }) => end > span.first && first < span.end)
        .map(({ group, first, end }) => (
          <div
            key={`${group} ${first}`}
            class="band"
            title={group}
            style={{ left: `${first * CELL.width}px`, width: `${(end - first) * CELL.width}px` }}
          >
            {group}
          </div>
        ))}
      {indices(span).map((index) => {
        const end = ends[index];
        if (end === undefined) return null;
        const left = `${index * CELL.width}px`;
        return (
          <div key={end.id} class={`head${index === at ? ' at' : ''}`} title={end.name} style={{ left }}>
            <span>{end.label}</span>
          </div>
        );
      })}
    </div>
  );
}

/** Names of sources with their namespaces. */
export function RowHeads({ ends, span, at }: HeadProps) {
  return (
    <div class="row-heads" aria-hidden="true">
      {indices(span).map((index) => {
        const end = ends[index];
        if (end === undefined) return null;
        const isFirst = ends[index - 1]?.group !== end.group;
        const top = `${index * CELL.height}px`;
        return (
          <div
            key={end.id}
            class={`head${isFirst ? ' first' : ''}${index === at ? ' at' : ''}`}
            title={end.name}
            style={{ top }}
          >
            <small>{end.group}/</small>
            {end.label}
          </div>
        );
      })}
    </div>
  );
}

/** Neighbours of one group. */
function bandsOf(ends: readonly End[]): readonly (Span & { readonly group: string })[] {
  const bands: { group: string; first: number; end: number }[] = [];
  for (const [index, { group }] of ends.entries()) {
    const last = bands.at(-1);
    if (last?.group === group) last.end = index + 1;
    else bands.push({ group, first: index, end: index + 1 });
  }
  return bands;
}
