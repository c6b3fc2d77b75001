/** What of it all is shown. */
import type { ViewName } from './view_name.ts';

/** What the user has chosen. */
export interface Choices {
  /** Empty: all. */
  readonly namespace: string;
  /** Seconds, or `all`; empty: that at first. */
  readonly span: string;
  readonly text: string;
  readonly unused: boolean;
  readonly byNamespace: boolean;
  /** `auto`: a map where it can be read. */
  readonly form: 'auto' | 'map' | 'matrix';
}

/** At first. */
export const AT_FIRST: Choices = {
  namespace: '',
  span: '',
  text: '',
  unused: true,
  byNamespace: false,
  form: 'auto',
};

const SPANS = [
  ['300', 'last 5 min'],
  ['900', 'last 15 min'],
  ['3600', 'last hour'],
  ['86400', 'last 24 h'],
  ['604800', 'last 7 days'],
  ['all', 'all that was observed'],
] as const;

/** A line of fields. */
export function Toolbar({
  choices,
  namespaces,
  view,
  isMatrix,
  canMap,
  firstSpan,
  onChange,
}: {
  readonly choices: Choices;
  readonly namespaces: readonly string[];
  readonly view: ViewName;
  readonly isMatrix: boolean;
  /** Whether there are few enough ends for a map. */
  readonly canMap: boolean;
  /** What `span` is at first. */
  readonly firstSpan: string;
  onChange(part: Partial<Choices>): void;
}) {
  const { namespace, span, text, unused, byNamespace } = choices;
  return (
    <div class="toolbar">
      <label>
        <span class="unseen">Namespace</span>
        <select
          value={namespace}
          onChange={({ currentTarget }) => onChange({ namespace: currentTarget.value })}
        >
          <option value="">all namespaces</option>
          {namespaces.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="unseen">Time</span>
        <select
          value={span || firstSpan}
          onChange={({ currentTarget }) => onChange({ span: currentTarget.value })}
        >
          {SPANS.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <label class="filter">
        <span class="unseen">Filter</span>
        <input
          type="search"
          placeholder="Filter: name, policy, port ( / )"
          value={text}
          onInput={({ currentTarget }) => onChange({ text: currentTarget.value })}
        />
      </label>
      {view === 'map' && (
        <>
          <fieldset class="segments" aria-label="Form">
            <button
              type="button"
              aria-pressed={!isMatrix}
              disabled={!canMap}
              onClick={() => onChange({ form: 'map' })}
            >
              Map
            </button>
            <button type="button" aria-pressed={isMatrix} onClick={() => onChange({ form: 'matrix' })}>
              Matrix
            </button>
          </fieldset>
          <label class="check">
            <input
              type="checkbox"
              checked={byNamespace}
              onChange={({ currentTarget }) => onChange({ byNamespace: currentTarget.checked })}
            />
            by namespace
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={unused}
              onChange={({ currentTarget }) => onChange({ unused: currentTarget.checked })}
            />
            allowed, not used
          </label>
        </>
      )}
    </div>
  );
}
