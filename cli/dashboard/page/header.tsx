/** What stands above every view: where it all comes from, the views, and how fresh it is. */
import { agoText, exactCount } from './model/index.ts';
import type { Dashboard } from './use_dashboard.ts';
import { VIEWS, type ViewName } from './view_name.ts';

const CONNECTIONS: Readonly<Record<Dashboard['connection'], string>> = {
  loading: 'loading',
  live: 'live',
  still: 'saved',
  broken: 'not connected',
  'no-session': 'not connected',
};

/** A line. */
export function Header({
  dashboard,
  view,
  counts,
  nowMs,
}: {
  readonly dashboard: Dashboard;
  readonly view: ViewName;
  readonly counts: Readonly<Partial<Record<ViewName, number>>>;
  readonly nowMs: number;
}) {
  const { facts, answer, connection, problem, left } = dashboard;
  const lost = [
    ...(answer?.lost ?? []),
    ...(left > 0 ? [{ flows: left, why: 'no place in this page' }] : []),
  ];
  const sum = lost.reduce((all, { flows }) => all + flows, 0);
  return (
    <header>
      <h1>
        <img src="/icon.svg" alt="" width="22" height="22" /> Sluice
      </h1>
      <span class="source">
        <bdi>{facts?.source.name ?? ''}</bdi>
      </span>
      <nav aria-label="Views">
        {VIEWS.map(({ name, title }) => (
          <a key={name} href={`#${name}`} aria-current={view === name ? 'page' : undefined}>
            {title}
            {(counts[name] ?? 0) > 0 && <span class={`badge ${name}`}>{exactCount(counts[name] ?? 0)}</span>}
          </a>
        ))}
      </nav>
      <div class="status" role="status">
        <span class={`dot ${connection}`} aria-hidden="true" />
        <span title={problem}>{CONNECTIONS[connection]}</span>
        {answer !== undefined && (
          <span class="faint">observed since {agoText(answer.observed_since, nowMs)}</span>
        )}
        {answer !== undefined && (
          <span
            class={sum > 0 ? 'warn' : 'faint'}
            title={lost.map(({ flows, why }) => `${flows}: ${why}`).join('\n')}
          >
            lost {exactCount(sum)}
          </span>
        )}
      </div>
    </header>
  );
}
