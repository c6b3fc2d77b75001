/** The embedded control plane, put together: a directory of manifests, the table server, a local socket, a status socket. */
import type { Logger } from 'pino';
import { openDirectorySource } from './directory/index.ts';
import { createInjectorMetrics, type InjectorMetrics } from './metrics.ts';
import { startStatusServer } from './status_server.ts';
import { startLocalServer, TableServer, type TableServerOptions } from './tables/index.ts';

/** Where the injector reads and listens. */
export interface InjectorPaths {
  readonly dir: string;
  readonly socket: string;
  /** Absent: no status socket. */
  readonly statusSocket?: string;
}

/** A running injector. */
export interface Injector {
  /** Ends all connections, removes the socket files, stops watching. Sidecars keep their last table. */
  close(): Promise<void>;
}

/**
 * Starts the injector. What was started is stopped again when a later part fails.
 * @throws SluiceError `MANIFEST_UNREADABLE`, `LISTEN_PATH_IN_USE`, `LISTEN_PATH_UNUSABLE`.
 */
export async function startInjector(
  paths: InjectorPaths,
  log: Logger,
  options: TableServerOptions = {},
): Promise<Injector> {
  const running: { close(): Promise<void> | void }[] = [];
  const close = async (): Promise<void> => {
    for (const part of running.splice(0).reverse()) await part.close();
  };
  try {
    const source = await openDirectorySource(paths.dir, log);
    running.push(source);
    const metrics = createInjectorMetrics((gauges) => setGauges(gauges, tables));
    const tables = new TableServer(source, metrics, log, options);
    running.push(tables);
    running.push(await startLocalServer(tables, paths.socket, log));
    if (paths.statusSocket !== undefined) {
      const parts = { tables: () => tables, source, metrics, unhealthy: wellAlways, unready: wellAlways };
      running.push(await startStatusServer(parts, { path: paths.statusSocket }, log));
    }
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A directory is read before anything is served, and a fault in it is no reason to start anew. */
const wellAlways = (): undefined => undefined;

/** Sets what is looked up at each scrape. */
export function setGauges(metrics: InjectorMetrics, tables: TableServer): void {
  const { revision, sidecars, problems } = tables.status();
  metrics.revision.set(revision);
  const states = { enforcing: 0, behind: 0, absent: 0 };
  for (const { connected, revision: wanted, enforced } of sidecars)
    states[!connected ? 'absent' : enforced === wanted ? 'enforcing' : 'behind'] += 1;
  for (const [state, count] of Object.entries(states)) metrics.sidecars.set({ state }, count);
  for (const severity of ['error', 'warning'] as const)
    metrics.problems.set({ severity }, problems.filter((problem) => problem.severity === severity).length);
}
