/** A state in words and in its colour. */
import { exactCount, type LinkState, STATE_MARKS, STATE_WORDS } from '../model/index.ts';

/** With the count behind it, where there is one. */
export function StateChip({ state, count }: { readonly state: LinkState; readonly count?: number }) {
  return (
    <span class={`chip ${state}`}>
      {STATE_MARKS[state] !== '' && state !== 'unused' && (
        <span aria-hidden="true">{STATE_MARKS[state]} </span>
      )}
      {STATE_WORDS[state]}
      {count !== undefined && count > 0 && <b> {exactCount(count)}</b>}
    </span>
  );
}
