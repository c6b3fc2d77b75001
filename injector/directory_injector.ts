/** The embedded control plane, put together: a directory of manifests, the table server, a local socket, a status socket. */
import type { Logger } from 'pino';
import { Collector, type FlowSettings } from './collector/index.ts';
import { openDirectorySource } from './directory/index.ts';
import { type Injector, startInOrder } from './injector.ts';
import { createInjectorMetrics } from './metrics.ts';
import { startStatusServer } from './status_server.ts';
import { setTableGauges, startLocalServer, TableServer, type TableServerOptions } from './tables/index.ts';

/** Where the injector reads and listens. */
export interface InjectorPaths {
  readonly dir: string;
  readonly socket: string;
  /** Absent: no status socket. */
  readonly statusSocket?: string;
  /** Where flows are kept; absent: none are collected. */
  readonly flows?: FlowSettings;
}

/**
 * Starts the injector. What was started is stopped again when a later part fails.
 * @throws SluiceError `MANIFEST_UNREADABLE`, `LISTEN_PATH_IN_USE`, `LISTEN_PATH_UNUSABLE`.
 */
export async function startDirectoryInjector(
  paths: InjectorPaths,
  log: Logger,
  options: TableServerOptions = {},
): Promise<Injector> {
  return startInOrder(async (running) => {
    const source = await openDirectorySource(paths.dir, log);
    running.push(source);
    const metrics = createInjectorMetrics((gauges) => setTableGauges(gauges, tables));
    const collector = paths.flows && new Collector({ source, settings: paths.flows, metrics, log });
    if (collector !== undefined) running.push(collector);
    const sink = collector === undefined ? {} : { flows: collector, objectChanges: collector };
    const tables = new TableServer(source, metrics, log, { ...sink, ...options });
    running.push(tables);
    running.push(await startLocalServer(tables, paths.socket, log));
    if (paths.statusSocket === undefined) return;
    const observer = () => collector;
    const health = { unhealthy: wellAlways, unready: wellAlways };
    const parts = { tables: () => tables, source, metrics, observer, ...health };
    running.push(await startStatusServer(parts, { path: paths.statusSocket }, log));
  });
}

/** A directory is read before anything is served, and a fault in it is no reason to start again. */
const wellAlways = (): undefined => undefined;
