/** Pods: whether their policies are in force. Those that are not come first. */
import { useState } from 'preact/hooks';
import type { PodFacts } from '../../form.ts';

/** Rows at first, and with each press of the button more. */
const PAGE = 300;

const STATES: Readonly<Record<PodFacts['state'], { readonly text: string; readonly kind: string }>> = {
  'in-force': { text: '✓ in force', kind: 'good' },
  'not-in-force': { text: '✗ not in force', kind: 'bad' },
  'not-known': { text: '? not known', kind: 'unknown' },
  free: { text: '– no policy', kind: 'unknown' },
};

/** A table. */
export function PodsView({ pods }: { readonly pods: readonly PodFacts[] }) {
  const [shown, setShown] = useState(PAGE);
  if (pods.length === 0) return <p class="empty">No pods are known here.</p>;
  const counts = Map.groupBy(pods, ({ state }) => state);
  return (
    <div class="list">
      <p class="summary">
        {(['in-force', 'not-in-force', 'not-known', 'free'] as const).map((state) => {
          const count = counts.get(state)?.length ?? 0;
          return count === 0 ? null : (
            <span key={state} class={`chip ${STATES[state].kind}`}>
              {STATES[state].text} <b>{count}</b>
            </span>
          );
        })}
      </p>
      <table class="pods">
        <thead>
          <tr>
            <th>Pod</th>
            <th>Workload</th>
            <th>State</th>
            <th>Policies that isolate it</th>
          </tr>
        </thead>
        <tbody>
          {pods.slice(0, shown).map(({ name, workload, state, why, policies }) => (
            <tr key={name}>
              <td>
                <bdi>{name}</bdi>
              </td>
              <td>{workload}</td>
              <td>
                <span class={`chip ${STATES[state].kind}`}>{STATES[state].text}</span>{' '}
                {why !== undefined && <span class="faint">{why}</span>}
              </td>
              <td class="faint">{policies.join(', ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {pods.length > shown && (
        <button type="button" class="more" onClick={() => setShown(shown + PAGE)}>
          Show more ({pods.length - shown})
        </button>
      )}
    </div>
  );
}
