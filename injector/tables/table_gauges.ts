/** The metrics of the tables that are looked up at each scrape. */
import type { InjectorMetrics } from '../metrics.ts';
import type { TableServer } from './table_server.ts';

/** Sets what is looked up at each scrape. */
export function setTableGauges(metrics: InjectorMetrics, tables: TableServer): void {
  const { sidecars } = tables.counts(); // the revision is that after it
  const { revision, problems } = tables;
  metrics.revision.set(revision);
  metrics.metAddresses.set(tables.metAddresses);
  for (const [state, count] of Object.entries(sidecars)) metrics.sidecars.set({ state }, count);
  for (const [path, count] of Object.entries(tables.paths)) metrics.sidecarPaths.set({ path }, count);
  for (const severity of ['error', 'warning'] as const)
    metrics.problems.set({ severity }, problems.filter((problem) => problem.severity === severity).length);
}
