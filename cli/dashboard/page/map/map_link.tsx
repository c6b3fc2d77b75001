/** A link on the map: a line whose kind tells its state, and its count, which lies above all lines. */
import { agoText, countText, exactCount, type Link, STATE_MARKS, STATE_WORDS } from '../model/index.ts';
import { curve } from './curve.ts';
import type { ItemProps } from './item_props.ts';
import type { Point } from './places.ts';

/** A cut that is this recent is shown as such, ms. */
const JUST_NOW_MS = 20_000;

const LABEL_HEIGHT = 18;

/** What a link and its label are drawn of. */
type LinkProps = ItemProps & { readonly link: Link; readonly nowMs: number };

/** The line. It has the focus and the name. */
export function MapLink({ link, points, nowMs, ...item }: LinkProps & { readonly points: readonly Point[] }) {
  const { state, count, last, from, to } = link;
  const d = curve(points);
  const said = state === 'unused' ? '' : `, ${exactCount(count)} flows, last ${agoText(last, nowMs)}`;
  return (
    <g
      class={classOf(link, nowMs, item)}
      data-item={item.id}
      role="button"
      tabIndex={item.tabIndex}
      aria-pressed={item.isSelected}
      aria-label={`${from.name} to ${to.name}: ${STATE_WORDS[state]}${said}`}
      onClick={item.onPick}
      onFocus={item.onFocus}
    >
      <path class="hit" d={d} />
      <path
        class="line"
        d={d}
        style={{ strokeWidth: `${lineWidth(link)}px` }}
        marker-end={`url(#arrow-${state})`}
      />
    </g>
  );
}

/** The count. Nothing where there is none. */
export function MapLabel({ link, at, nowMs, ...item }: LinkProps & { readonly at: Point }) {
  const { state, count } = link;
  if (state === 'unused') return null;
  const text = `${STATE_MARKS[state]} ${countText(count)}`.trim();
  const width = text.length * 6.8 + 14;
  return (
    <g class={classOf(link, nowMs, item)} data-item={item.id} aria-hidden="true" onClick={item.onPick}>
      <rect
        class="pill"
        x={at.x - width / 2}
        y={at.y - LABEL_HEIGHT / 2}
        width={width}
        height={LABEL_HEIGHT}
        rx={LABEL_HEIGHT / 2}
      />
      <text x={at.x} y={at.y + 4}>
        {text}
      </text>
    </g>
  );
}

function classOf({ state, last }: Link, nowMs: number, { isSelected, isDim }: Partial<ItemProps>): string {
  const isRecent = state === 'cut' && nowMs - Date.parse(last) < JUST_NOW_MS;
  return `link ${state}${isSelected ? ' selected' : ''}${isDim ? ' dim' : ''}${isRecent ? ' recent' : ''}`;
}

/** Thicker for more flows, by powers of ten. */
function lineWidth({ state, count }: Link): number {
  if (state === 'unused') return 1;
  return Math.min(3, 1.3 + 0.3 * Math.log10(Math.max(1, count)));
}
