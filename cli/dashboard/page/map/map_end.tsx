/** An end on the map: its name, and below it what it is. */
import type { End } from '../model/index.ts';
import type { ItemProps } from './item_props.ts';
import type { Box } from './places.ts';

/** Characters of a name that are shown; the whole is in the panel and for screen readers. */
const MAX_LABEL = 24;

const HEIGHT = 42;

/** Widths of a character, as wide as common fonts have them. */
const CHARACTER = 8.4;
const SMALL_CHARACTER = 6.3;

const PADDING = 24;

/** The place that an end needs. */
export function endSize(
  end: End,
  pods: number | undefined,
): { readonly width: number; readonly height: number } {
  const name = Math.min(end.label.length, MAX_LABEL) * CHARACTER;
  const below = kindText(end, pods).length * SMALL_CHARACTER;
  return { width: Math.max(84, Math.max(name, below) + PADDING), height: HEIGHT };
}

/** `deploy · 3 pods`. */
function kindText({ sort, kind }: End, pods: number | undefined): string {
  return [sort || kind, ...(pods ? [`${pods} ${pods === 1 ? 'pod' : 'pods'}`] : [])].join(' · ');
}

/** Draws it. */
export function MapEnd({
  end,
  pods,
  box: { x, y, width, height },
  ...item
}: ItemProps & { readonly end: End; readonly pods: number | undefined; readonly box: Box }) {
  const what = kindText(end, pods);
  return (
    <g
      class={`end ${end.kind}${item.isSelected ? ' selected' : ''}${item.isDim ? ' dim' : ''}`}
      transform={`translate(${x - width / 2},${y - height / 2})`}
      data-item={item.id}
      role="button"
      tabIndex={item.tabIndex}
      aria-pressed={item.isSelected}
      aria-label={`${end.name}, ${what}`}
      onClick={item.onPick}
      onFocus={item.onFocus}
    >
      <rect class="ring" x="-4" y="-4" width={width + 8} height={height + 8} rx="11" />
      <rect class="box" width={width} height={height} rx="8" />
      <text class="name" x="12" y="18">
        {shortened(end.label)}
      </text>
      <text class="what" x="12" y="33">
        {what}
      </text>
    </g>
  );
}

/** Names differ at their ends as often as at their beginnings. */
function shortened(label: string): string {
  const characters = [...label];
  if (characters.length <= MAX_LABEL) return label;
  const half = (MAX_LABEL - 1) / 2;
  return `${characters.slice(0, Math.ceil(half)).join('')}…${characters.slice(-Math.floor(half)).join('')}`;
}
