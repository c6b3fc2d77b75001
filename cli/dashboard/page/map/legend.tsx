/** What the lines of the map mean. */
import { STATE_MARKS } from '../model/index.ts';

/** In a corner. */
export function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {(
        [
          ['allow', 'allowed'],
          ['deny', 'denied'],
          ['cut', 'cut'],
          ['audit', 'audit'],
          ['unused', 'not used'],
        ] as const
      ).map(([state, title]) => (
        <li key={state} class={state}>
          <svg viewBox="0 0 30 8" width="30" height="8" aria-hidden="true" class={`link ${state}`}>
            <path class="line" d="M1,4H29" />
          </svg>
          {state !== 'unused' && STATE_MARKS[state]} {title}
        </li>
      ))}
    </ul>
  );
}
