/** Puts the sidecar together, in the order that keeps it closed until it can judge, and takes it down again. */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openLog } from '../common/log.ts';
import { openSockets } from '../native/sockets.ts';
import { serveAdmin } from './admin.ts';
import { AppLegs } from './app_leg.ts';
import { Canary } from './canary.ts';
import { connectionLimit, descriptorLimit } from './capacity.ts';
import type { SidecarConfig } from './config.ts';
import { Enforcement } from './enforcement.ts';
import { FlowHistory } from './flow_history.ts';
import type { FlowRecord } from './flow_record.ts';
import { acceptInbound, type InboundContext } from './inbound.ts';
import { listenInbound } from './listeners.ts';
import { LiveTable } from './live_table.ts';
import { SidecarMetrics } from './metrics.ts';
import { verifyRedirect } from './redirect/redirect.ts';
import { TableFile } from './table_file.ts';
import { TableStream } from './table_stream.ts';

/** How often a drain looks whether flows are left. */
const DRAIN_POLL_MS = 50;

/** Accept errors come by the thousand when descriptors run out: one line per interval tells enough. */
const ACCEPT_ERROR_LOG_MS = 1_000;

const MS_PER_SECOND = 1000;

/**
 * Enforces until SIGTERM or SIGINT, then drains and resolves.
 * @throws SluiceError, or a system error, when it cannot start; nothing is then admitted: the redirect has no listener
 */
export async function runSidecar(config: SidecarConfig): Promise<void> {
  const log = openLog(config.logLevel);
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const limit = connectionLimit(config.maxConnections, descriptorLimit());
  log.info({ version, config, connection_limit: limit }, 'starting');

  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  const file = new TableFile(config.stateDir, (err) =>
    log.error({ err }, 'the table could not be kept on disk'),
  );
  restoreTable(config, file, enforcement, log);

  const history = new FlowHistory(config.flowHistory);
  const canary = new Canary({
    port: config.canaryPort,
    verify: () => verifyRedirect(config),
    changed(problem) {
      if (problem === undefined) log.info('the redirect is in force');
      else log.error({ problem }, 'the redirect is not in force: connections may reach the app unchecked');
    },
  });
  const metrics = new SidecarMetrics(version, {
    connectionsOpen: () => live.size,
    connectionsLimit: () => limit,
    tableRevision: () => enforcement.revision,
    tableAgeSeconds: () => ageSeconds(enforcement.confirmedAtMs),
    redirectIntact: () => canary.problem === undefined,
  });
  const stream = new TableStream(
    config.sourcePath,
    { namespace: config.podNamespace, name: config.podName },
    enforcement,
    streamEvents(enforcement, file, log),
  );

  const admin = await serveAdmin(config.adminPort, {
    notReady: () => problems(enforcement, canary),
    status: () => ({
      revision: enforcement.revision,
      table_age_seconds: ageSeconds(enforcement.confirmedAtMs) ?? null,
    }),
    connections: () => [...live].map((flow) => flow.view()),
    table: () => enforcement.table,
    flows: () => history.list(),
    metrics: () => metrics.registry.metrics(),
    metricsType: metrics.registry.contentType,
  });
  const sockets = openSockets();
  const context: InboundContext = {
    ...config,
    sockets,
    appLegs: new AppLegs(sockets),
    enforcement,
    live,
    connectionLimit: limit,
    verdictTaken: (seconds) => metrics.verdictTaken(seconds),
    record(record, verdict) {
      history.add(record);
      metrics.flowEnded(record, verdict);
      logFlow(log, record);
    },
  };
  const acceptErrors = rarely(ACCEPT_ERROR_LOG_MS, (err: Error) =>
    log.error({ err }, 'a connection was not accepted'),
  );
  const listeners = await listenInbound(sockets, config.inboundPort, {
    connection: (client) => acceptInbound(client, context),
    acceptError(error) {
      metrics.acceptFailed();
      acceptErrors(error);
    },
  });
  log.info({ families: listeners.families, revision: enforcement.revision }, 'listening');
  stream.start();
  void canary.start(listeners.families);

  const signal = await terminated();
  log.info({ signal, connections: live.size }, 'draining');
  listeners.close(); // from here on the redirect has no listener: new connections are dropped
  const deadline = performance.now() + config.drainMs;
  while (live.size > 0 && performance.now() < deadline) await sleep(DRAIN_POLL_MS);
  for (const flow of live) flow.drain();
  canary.close();
  stream.close();
  admin.close();
  admin.closeAllConnections();
  await file.flush();
  log.info('stopped');
}

/** The last table is back in force before anything is accepted. A file that cannot be used changes nothing: deny. */
function restoreTable(config: SidecarConfig, file: TableFile, enforcement: Enforcement, log: Logger): void {
  try {
    const kept = file.load(config.podNamespace, config.podName);
    if (kept === undefined) {
      log.info('no table on disk: everything is denied until the first one arrives');
      return;
    }
    enforcement.replace(kept.table);
    enforcement.confirm(kept.savedAtMs);
    log.info({ revision: enforcement.revision }, 'the last table is in force again');
  } catch (err) {
    log.error({ err }, 'the table on disk cannot be used: everything is denied until one arrives');
  }
}

function streamEvents(
  enforcement: Enforcement,
  file: TableFile,
  log: Logger,
): ConstructorParameters<typeof TableStream>[3] {
  return {
    connected: () => log.info('connected to the injector'),
    disconnected: (reason) =>
      log.warn({ reason }, 'no connection to the injector: the last table stays in force'),
    enforced(ended) {
      if (enforcement.table !== undefined) file.save(enforcement.table);
      log.info({ revision: enforcement.revision, flows_ended: ended }, 'table in force');
    },
    refused: (err) =>
      log.error({ err }, 'a frame from the injector was refused: the last table stays in force'),
    unknownPod: (message) => log.warn({ message }, 'the injector does not know this pod yet'),
  };
}

function problems(enforcement: Enforcement, canary: Canary): readonly string[] {
  const found: string[] = [];
  if (enforcement.table === undefined) found.push('no table yet: everything is denied');
  if (canary.problem !== undefined) found.push(`redirect: ${canary.problem}`);
  return found;
}

function logFlow(log: Logger, record: FlowRecord): void {
  const { time: _, ...fields } = record; // the log line has its own
  if (record.verdict === 'deny') log.warn(fields, 'flow denied');
  else log.info(fields, 'flow ended');
}

function ageSeconds(confirmedAtMs: number): number | undefined {
  return confirmedAtMs === 0 ? undefined : (Date.now() - confirmedAtMs) / MS_PER_SECOND;
}

/** Calls `action` at most once per interval; what comes between is left out. */
function rarely<T>(intervalMs: number, action: (value: T) => void): (value: T) => void {
  let nextMs = 0;
  return (value) => {
    const now = performance.now();
    if (now < nextMs) return;
    nextMs = now + intervalMs;
    action(value);
  };
}

function terminated(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
