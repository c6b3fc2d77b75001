/** The page: one view, and a panel for what was chosen in it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Header } from './header.tsx';
import { MapView } from './map/index.ts';
import { MatrixView } from './matrix/index.ts';
import { flowFilter, linkGraph, nameFilter, pairFilter, workloadEnd } from './model/index.ts';
import { Panel } from './panel/index.ts';
import type { Selection } from './selection.ts';
import { AT_FIRST, type Choices, Toolbar } from './toolbar.tsx';
import { type Dashboard, spanAtFirst, useDashboard } from './use_dashboard.ts';
import { type ViewName, viewOfHash } from './view_name.ts';
import { DeniedView, PodsView, PoliciesView } from './views/index.ts';

/** Ends of a map that can be read; more are a matrix. */
const MAX_READABLE = 60;

/** Ends of a map that can be drawn at all, when the user asks for it. */
const MAX_DRAWN = 150;

/** `2 s ago` is written anew this often, ms. */
const CLOCK_MS = 5_000;

/** All of it. */
export function App() {
  const [choices, setChoices] = useState(AT_FIRST);
  const [selection, setSelection] = useState<Selection>();
  const dashboard = useDashboard(choices.span);
  const view = useView();
  const nowMs = useNow(dashboard);
  const opener = useRef<Element | null>(null);
  const close = () => {
    setSelection(undefined);
    if (opener.current instanceof HTMLElement || opener.current instanceof SVGElement) opener.current.focus();
  };
  const select = (chosen: Selection) => {
    if (document.activeElement?.closest('.panel') === null) opener.current = document.activeElement;
    setSelection(chosen);
  };
  useKeys(close);
  // Other views have other things to choose.
  useEffect(() => setSelection(undefined), [view]);

  const shown = useShown(dashboard, choices);
  const { flows, policies, pods, graph } = shown;
  const denied = useMemo(
    () => flows.filter(({ outcome }) => outcome === 'deny' || outcome === 'cut'),
    [flows],
  );
  const canMap = graph.ends.length <= MAX_DRAWN;
  const isMatrix =
    choices.form === 'matrix' || !canMap || (choices.form === 'auto' && graph.ends.length > MAX_READABLE);
  if (dashboard.connection === 'no-session') return <NoSessionPage problem={dashboard.problem} />;
  const { facts } = dashboard;
  const common = { selection, nowMs, onSelect: select };
  return (
    <>
      <Header
        dashboard={dashboard}
        view={view}
        counts={{ denied: denied.length, policies: policies.length, pods: pods.length }}
        nowMs={nowMs}
      />
      <Toolbar
        choices={choices}
        namespaces={shown.namespaces}
        view={view}
        isMatrix={isMatrix}
        canMap={canMap}
        firstSpan={facts === undefined ? 'all' : spanAtFirst(facts)}
        onChange={(part) => setChoices((before) => ({ ...before, ...part }))}
      />
      {dashboard.problem !== '' && (
        <p class="problem" role="alert">
          {dashboard.problem}
        </p>
      )}
      <main class={selection === undefined ? '' : 'with-panel'}>
        <div class="view">
          {dashboard.connection === 'loading' || facts === undefined ? (
            <p class="empty">
              {dashboard.connection === 'loading' ? 'Loading…' : 'Nothing could be loaded.'}
            </p>
          ) : (
            <>
              {view === 'map' && !isMatrix && <MapView graph={graph} pods={shown.podCounts} {...common} />}
              {view === 'map' && isMatrix && <MatrixView graph={graph} {...common} />}
              {view === 'denied' && <DeniedView flows={denied} {...common} />}
              {view === 'policies' && (
                <PoliciesView policies={policies} flows={dashboard.flows} facts={facts} nowMs={nowMs} />
              )}
              {view === 'pods' && <PodsView pods={pods} />}
            </>
          )}
          {facts !== undefined && facts.notes.length > 0 && (view === 'map' || view === 'pods') && (
            <p class="notes">{facts.notes.join(' · ')}</p>
          )}
        </div>
        {selection !== undefined && (
          <Panel
            selection={selection}
            graph={graph}
            flows={flows}
            facts={facts}
            nowMs={nowMs}
            onSelect={select}
            onClose={close}
          />
        )}
      </main>
    </>
  );
}

/** What the choices leave of it. */
function useShown({ flows: all, facts }: Dashboard, choices: Choices) {
  const { namespace, text, unused, byNamespace } = choices;
  return useMemo(() => {
    const filter = { namespace, text };
    const ofName = nameFilter(filter);
    const flows = all.filter(flowFilter(filter));
    const allowed = unused ? (facts?.allowed ?? []).filter(pairFilter(filter)) : [];
    const workloads = (facts?.workloads ?? []).filter((one) =>
      ofName(one.namespace, `${one.namespace}/${one.workload}`),
    );
    const alone = text === '' && workloads.length <= MAX_READABLE ? workloads : [];
    return {
      flows,
      graph: linkGraph({
        flows,
        allowed,
        alone: alone.map((one) => workloadEnd(one.namespace, one.workload)),
        byNamespace,
      }),
      policies: (facts?.policies ?? []).filter(({ name }) => ofName(name.split('/')[0] ?? '', name)),
      pods: (facts?.pods ?? []).filter(({ name, workload }) =>
        ofName(name.split('/')[0] ?? '', `${name} ${workload}`),
      ),
      podCounts: new Map(
        (facts?.workloads ?? []).map((one) => [`${one.namespace}/${one.workload}`, one.pods]),
      ),
      namespaces: [
        ...new Set([
          ...(facts?.workloads ?? []).map((one) => one.namespace),
          ...all.flatMap(({ src, dst }) => [src.namespace ?? '', dst.namespace ?? '']),
        ]),
      ]
        .filter((name) => name !== '')
        .toSorted(),
    };
  }, [all, facts, namespace, text, unused, byNamespace]);
}

function useView(): ViewName {
  const [view, setView] = useState(viewOfHash(location.hash));
  useEffect(() => {
    const change = () => setView(viewOfHash(location.hash));
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return view;
}

/** The time, often enough for what is shown of it. */
function useNow(dashboard: Dashboard): number {
  const [nowMs, setNow] = useState(Date.now());
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), CLOCK_MS);
    return () => clearInterval(timer);
  }, [dashboard.flows]);
  return nowMs;
}

/** Keys that work everywhere: Escape closes the panel, / goes to the filter. */
function useKeys(close: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') close();
      const isTyping = event.target instanceof HTMLElement && event.target.matches('input, select');
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return;
      document.querySelector<HTMLInputElement>('input[type=search]')?.focus();
      event.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
}

function NoSessionPage({ problem }: { readonly problem: string }) {
  return (
    <div class="no-session">
      <img src="/icon.svg" alt="" width="48" height="48" />
      <h1>This page needs a link</h1>
      <p>
        Each link that <code>sluice dashboard</code> prints works once ({problem}). Press Enter in its
        terminal for another one, or start it again.
      </p>
    </div>
  );
}
