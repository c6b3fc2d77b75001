/** The metrics of the tables that are looked up at each scrape. */
import type { InjectorMetrics } from '../metrics.ts';
import type { TableServer } from './table_server.ts';

/** Sets what is looked up at each scrape. */
export function setTableGauges(metrics: InjectorMetrics, tables: TableServer): void {
  const { revision, sidecars, problems } = tables.status();
  metrics.revision.set(revision);
  const states = { enforcing: 0, behind: 0, absent: 0 };
  for (const { connected, revision: wanted, enforced } of sidecars)
    states[!connected ? 'absent' : enforced === wanted ? 'enforcing' : 'behind'] += 1;
  for (const [state, count] of Object.entries(states)) metrics.sidecars.set({ state }, count);
  for (const severity of ['error', 'warning'] as const)
    metrics.problems.set({ severity }, problems.filter((problem) => problem.severity === severity).length);
}
