/** The matrix: each row talks to columns. Only what is in sight is in the page, however many workloads there are. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import {
  agoText,
  countText,
  type End,
  exactCount,
  type Link,
  type LinkGraph,
  STATE_MARKS,
  STATE_WORDS,
  STATES,
} from '../model/index.ts';
import type { Selection } from '../selection.ts';
import { markShown } from '../shown_mark.ts';
import { ColumnHeads, RowHeads } from './heads.tsx';
import { CELL, HEAD, indices, type Span, spanOf } from './sizes.ts';
import { useScroll } from './use_scroll.ts';

/** What the matrix is given. */
export interface MatrixProps {
  readonly graph: LinkGraph;
  readonly selection: Selection | undefined;
  readonly nowMs: number;
  onSelect(selection: Selection): void;
}

/** Rows are sources, columns destinations; those without links are left out. */
export function MatrixView({ graph, selection, nowMs, onSelect }: MatrixProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const table = useMemo(() => tableOf(graph), [graph]);
  const { rows, columns, cells } = table;
  const scroll = useScroll(scroller);
  const [at, setAt] = useState(() => firstCell(table));
  useEffect(() => markShown(), []);
  const rowSpan = spanOf(scroll.top, scroll.height - HEAD.height, CELL.height, rows.length);
  const columnSpan = spanOf(scroll.left, scroll.width - HEAD.width, CELL.width, columns.length);
  const active = { row: Math.min(at.row, rows.length - 1), column: Math.min(at.column, columns.length - 1) };
  const open = (row: number, column: number) => {
    const [worst] = cells.get(row)?.get(column) ?? [];
    setAt({ row, column });
    if (worst !== undefined) onSelect({ kind: 'link', id: worst.id });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = steps(event.key, active, rows.length, columns.length);
    if (event.key === 'Enter' || event.key === ' ') open(active.row, active.column);
    else if (next !== undefined) {
      setAt(next);
      revealCell(scroller.current, next);
    } else return;
    event.preventDefault();
  };
  if (rows.length === 0) return <p class="empty">Nothing was observed here.</p>;
  return (
    <div
      class="matrix"
      ref={scroller}
      role="grid"
      aria-label="Who talks to whom: rows are sources, columns are destinations. Arrow keys move, Enter opens a cell."
      aria-rowcount={rows.length}
      aria-colcount={columns.length}
      aria-activedescendant="active-cell"
      tabIndex={0}
      onKeyDown={onKeyDown}
      onFocus={() => revealCell(scroller.current, active)}
    >
      <div
        class="canvas"
        style={{
          width: `${HEAD.width + columns.length * CELL.width + 40}px`,
          height: `${HEAD.height + rows.length * CELL.height + 16}px`,
        }}
      >
        <div class="corner">
          <span>from ↓</span>
          <span>to →</span>
        </div>
        <ColumnHeads ends={columns} span={columnSpan} at={active.column} />
        <RowHeads ends={rows} span={rowSpan} at={active.row} />
        {inSight(rowSpan, columnSpan, active, table).map(({ row, column, links }) => (
          <Cell
            key={`${row} ${column}`}
            place={{ row, column }}
            links={links}
            name={`${rows[row]?.name} to ${columns[column]?.name}`}
            isActive={row === active.row && column === active.column}
            isSelected={links.some(({ id }) => selection?.id === id)}
            nowMs={nowMs}
            onOpen={() => open(row, column)}
          />
        ))}
      </div>
    </div>
  );
}

interface CellPlace {
  readonly row: number;
  readonly column: number;
}

interface Table {
  readonly rows: readonly End[];
  readonly columns: readonly End[];
  /** By row, then by column; the worst link first. */
  readonly cells: ReadonlyMap<number, ReadonlyMap<number, readonly Link[]>>;
}

function tableOf({ ends, links }: LinkGraph): Table {
  const [sources, destinations] = [
    new Set(links.map(({ from }) => from.id)),
    new Set(links.map(({ to }) => to.id)),
  ];
  const rows = ends.filter(({ id }) => sources.has(id));
  const columns = ends.filter(({ id }) => destinations.has(id));
  const rowAt = new Map(rows.map(({ id }, index) => [id, index]));
  const columnAt = new Map(columns.map(({ id }, index) => [id, index]));
  const cells = new Map<number, Map<number, Link[]>>();
  for (const link of links) {
    const [row = 0, column = 0] = [rowAt.get(link.from.id), columnAt.get(link.to.id)];
    const inRow = cells.get(row) ?? new Map<number, Link[]>();
    cells.set(row, inRow);
    inRow.set(
      column,
      [...(inRow.get(column) ?? []), link].sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state)),
    );
  }
  return { rows, columns, cells };
}

/** Cells that hold something, and the one that has the keys, wherever it is. */
function inSight(rowSpan: Span, columnSpan: Span, active: CellPlace, { cells }: Table) {
  const found: (CellPlace & { readonly links: readonly Link[] })[] = [];
  for (const row of indices(rowSpan))
    for (const [column, links] of cells.get(row) ?? [])
      if (column >= columnSpan.first && column < columnSpan.end) found.push({ row, column, links });
  if (!found.some(({ row, column }) => row === active.row && column === active.column))
    found.push({ ...active, links: cells.get(active.row)?.get(active.column) ?? [] });
  return found;
}

/** The first that holds something. */
function firstCell({ cells }: Table): CellPlace {
  const columns = [...(cells.get(0)?.keys() ?? [])];
  return { row: 0, column: columns.length === 0 ? 0 : Math.min(...columns) };
}

function Cell({
  place: { row, column },
  links,
  name,
  isActive,
  isSelected,
  nowMs,
  onOpen,
}: {
  readonly place: CellPlace;
  readonly links: readonly Link[];
  readonly name: string;
  readonly isActive: boolean;
  readonly isSelected: boolean;
  readonly nowMs: number;
  onOpen(): void;
}) {
  const [worst] = links;
  const said = links
    .map(
      ({ state, count, last }) =>
        `${STATE_WORDS[state]}${count === 0 ? '' : ` ${exactCount(count)}, last ${agoText(last, nowMs)}`}`,
    )
    .join('; ');
  return (
    <div
      id={isActive ? 'active-cell' : undefined}
      class={`cell ${worst?.state ?? 'none'}${isActive ? ' active' : ''}${isSelected ? ' selected' : ''}`}
      role="gridcell"
      aria-rowindex={row + 1}
      aria-colindex={column + 1}
      aria-label={`${name}: ${said === '' ? 'nothing' : said}`}
      title={`${name}: ${said === '' ? 'nothing' : said}`}
      style={{ left: `${HEAD.width + column * CELL.width}px`, top: `${HEAD.height + row * CELL.height}px` }}
      onClick={onOpen}
    >
      {worst !== undefined && (
        <span>
          {STATE_MARKS[worst.state]}
          {worst.count === 0 ? '' : countText(worst.count)}
        </span>
      )}
      {links.length > 1 && <i aria-hidden="true" />}
    </div>
  );
}

function steps(key: string, { row, column }: CellPlace, rows: number, columns: number) {
  const next: Readonly<Record<string, readonly [number, number]>> = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    PageUp: [row - 10, column],
    PageDown: [row + 10, column],
    Home: [row, 0],
    End: [row, columns - 1],
  };
  const found = next[key];
  if (found === undefined) return undefined;
  const within = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
  return { row: within(found[0], rows), column: within(found[1], columns) };
}

/** The heads lie over the cells at the left and the top. */
function revealCell(scroller: HTMLDivElement | null, { row, column }: CellPlace): void {
  if (scroller === null) return;
  const [top, left] = [row * CELL.height, column * CELL.width];
  const height = scroller.clientHeight - HEAD.height - CELL.height;
  const width = scroller.clientWidth - HEAD.width - CELL.width;
  scroller.scrollTo({
    top: Math.min(top, Math.max(scroller.scrollTop, top - height)),
    left: Math.min(left, Math.max(scroller.scrollLeft, left - width)),
  });
}
