/** What was denied or cut, the latest first, each with its explanation. */
import { useState } from 'preact/hooks';
import type { ObservedFlow } from '../../../../flows/index.ts';
import {
  agoText,
  countText,
  endOf,
  keyOf,
  portText,
  STATE_MARKS,
  STATE_WORDS,
  sentenceOf,
} from '../model/index.ts';
import type { Selection } from '../selection.ts';
import { onRowKeys } from './row_keys.ts';

/** Rows at first, and with each press of the button more. */
const PAGE = 200;

/** A table. */
export function DeniedView({
  flows,
  selection,
  nowMs,
  onSelect,
}: {
  readonly flows: readonly ObservedFlow[];
  readonly selection: Selection | undefined;
  readonly nowMs: number;
  onSelect(selection: Selection): void;
}) {
  const [shown, setShown] = useState(PAGE);
  const sorted = flows.toSorted((a, b) => (a.last < b.last ? 1 : -1));
  if (sorted.length === 0) return <p class="empty good">Nothing was denied or cut here.</p>;
  return (
    <div class="list">
      <table class="denied">
        <thead>
          <tr>
            <th>Flows</th>
            <th>Last</th>
            <th>From → to</th>
            <th>Port</th>
            <th>Nearest rule, and what it lacks</th>
          </tr>
        </thead>
        <tbody onKeyDown={onRowKeys}>
          {sorted.slice(0, shown).map((flow) => (
            <DeniedRow
              key={keyOf(flow)}
              flow={flow}
              selection={selection}
              nowMs={nowMs}
              onSelect={onSelect}
            />
          ))}
        </tbody>
      </table>
      {sorted.length > shown && (
        <button type="button" class="more" onClick={() => setShown(shown + PAGE)}>
          Show more ({sorted.length - shown})
        </button>
      )}
    </div>
  );
}

function DeniedRow({
  flow,
  selection,
  nowMs,
  onSelect,
}: {
  readonly flow: ObservedFlow;
  readonly selection: Selection | undefined;
  readonly nowMs: number;
  onSelect(selection: Selection): void;
}) {
  const { src, dst, outcome, direction, near = [], isolating = [], reason } = flow;
  const id = keyOf(flow);
  const [nearest] = near;
  return (
    <tr class={selection?.id === id ? 'selected' : ''} onClick={() => onSelect({ kind: 'flow', id })}>
      <td class={`number count ${outcome}`}>
        <span aria-hidden="true">{STATE_MARKS[outcome]} </span>
        <span class="unseen">{STATE_WORDS[outcome]} </span>
        {countText(flow.flows)}
      </td>
      <td class="nowrap faint">{agoText(flow.last, nowMs)}</td>
      <td>
        <button
          type="button"
          class="plain"
          data-row
          aria-pressed={selection?.id === id}
          title={sentenceOf(flow)}
        >
          <span class="one-line">
            <bdi>{endOf(src).name}</bdi>
          </span>
          <span class="one-line">
            <span class="arrow-text">→</span> <bdi>{endOf(dst).name}</bdi>
          </span>
        </button>
      </td>
      <td class="nowrap">
        {portText(flow)} <span class="faint">{direction}</span>
      </td>
      <td>
        {nearest === undefined ? (
          <span class="faint">{isolating.length === 0 ? reason : `none of ${isolating.join(', ')}`}</span>
        ) : (
          <>
            <code class="rule">
              {nearest.policy} {direction}[{nearest.rule}]
            </code>{' '}
            <span class="lack">{nearest.lacks.join('; ')}</span>
          </>
        )}
      </td>
    </tr>
  );
}
