/**
 * The control plane of a cluster, put together: the API server's objects, certificates, tables over TLS for those who show
 * a pod's token, the admission webhook, health and metrics.
 */
import { AuthenticationV1Api, AuthorizationV1Api, type KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { objectKey } from '../policy/index.ts';
import { injectionConfig, startWebhookServer } from './admission/index.ts';
import { loadKubeConfig } from './api/index.ts';
import { INJECTOR_SERVICE, startCertificates } from './certificates/index.ts';
import { Collector } from './collector/index.ts';
import type { KubernetesConfig } from './config.ts';
import { type Injector, type Part, startInOrder } from './injector.ts';
import {
  AllFlows,
  countedEvents,
  KubernetesSource,
  LeaderElection,
  SessionSpread,
  StatusWriter,
  setSourceGauges,
  UninjectedSweep,
} from './kubernetes/index.ts';
import { createInjectorMetrics } from './metrics.ts';
import type { Observer } from './observe_page.ts';
import {
  AskerPolicy,
  Askers,
  type FlowCollector,
  FlowRights,
  startOperatorServer,
} from './operator/index.ts';
import { type StatusParts, startStatusServer } from './status_server.ts';
import { setTableGauges, startTlsServer, TableServer } from './tables/index.ts';
import { TokenReviewer } from './tokens/index.ts';

/**
 * Nothing was confirmed for this long, though a bookmark is due every minute and a watch is begun again every five, ms: the
 * process may hang. Sidecars keep their tables while it is started again, so that an API server that is away for longer does no
 * harm either.
 */
const MAX_SYNC_AGE_MS = 900_000;

/**
 * Starts the injector; returns once sidecars and API servers are served, or `signal` says that they need not be. What was
 * started is stopped again when a later part fails.
 * @throws SluiceError `CONFIG_INVALID`, `LISTEN_PATH_IN_USE`, `LISTEN_PATH_UNUSABLE`, `LISTEN_ADDRESS_UNUSABLE`,
 *   `CERTIFICATES_UNUSABLE`
 */
export async function startKubernetesInjector(
  settings: KubernetesConfig,
  log: Logger,
  signal: AbortSignal,
): Promise<Injector> {
  const config = loadKubeConfig(settings.kubernetes, process.env);
  return startInOrder((running) => startParts(settings, config, log, signal, running));
}

async function startParts(
  settings: KubernetesConfig,
  config: KubeConfig,
  log: Logger,
  signal: AbortSignal,
  running: Part[],
): Promise<void> {
  const { namespace, webhook } = settings;
  let tables: TableServer | undefined;
  let collector: Collector | undefined;
  let allFlows: AllFlows | undefined;
  let writer: StatusWriter | undefined;
  let spread: SessionSpread | undefined;
  let sweep: UninjectedSweep | undefined;
  let serving = false;
  const replicas = () => writer?.replicas ?? [];
  const metrics = createInjectorMetrics((gauges) => {
    setSourceGauges(gauges, source);
    if (tables !== undefined) setTableGauges(gauges, tables);
  });
  const { policyLimits, largeGroup } = settings;
  const source = new KubernetesSource(config, log, {
    events: (kind) => countedEvents(metrics, kind),
    policyLimits,
  });
  running.push(source);
  const status: StatusParts = {
    tables: () => tables,
    source,
    metrics,
    enforcing: (since) => (since === undefined ? writer?.counts : writer?.countsSince(since)),
    sessions: () => spread?.counts,
    replicas,
    uninjected: () => sweep?.pods,
    observer: () => observerOf(collector, allFlows),
    flows: (question) => allFlows?.own(question),
    unhealthy: () => staleness(source),
    unready: () => (serving ? undefined : unsyncedness(source)),
  };
  running.push(await startStatusServer(status, { port: settings.statusPort }, log));
  if (settings.statusSocket !== undefined)
    running.push(await startStatusServer(status, { path: settings.statusSocket }, log));

  // What is not known yet would be missing in tables: a policy, most of all.
  await Promise.race([source.synced, aborted(signal)]);
  if (signal.aborted) return;
  sweep = new UninjectedSweep({ source, namespace, metrics, log });
  running.push(sweep);
  const certificates = await startCertificates({ config, namespace, source, metrics, log });
  running.push(certificates);
  const injectorService = objectKey(namespace, INJECTOR_SERVICE);
  collector = new Collector({ source, settings: settings.flows, metrics, log });
  running.push(collector);
  tables = new TableServer(source, metrics, log, {
    injectorService,
    policyLimits,
    largeGroup,
    flows: collector,
    objectChanges: collector,
  });
  running.push(tables);
  const authentication = config.makeApiClient(AuthenticationV1Api);
  const authenticator = new TokenReviewer(authentication);
  const certificate = certificates.serving;
  running.push(
    await startTlsServer({ tables, authenticator, certificate, log }, { port: settings.tablesPort }),
  );
  const operator = {
    collector: () => collectorFor(collector, allFlows),
    askers: new Askers(authentication, namespace),
    policy: AskerPolicy.of(config, namespace),
    rights: new FlowRights(config.makeApiClient(AuthorizationV1Api)),
    namespaces: () => source.cluster.namespaces.keys(),
    certificate,
    log,
  };
  running.push(await startOperatorServer(operator, { port: settings.operatorPort }));
  if (webhook !== undefined) {
    const parts = {
      source,
      config: () => injectionConfig(webhook, source.cluster),
      certificate,
      prepareNamespace: (name: string) => certificates.ensureCa(name),
      metrics,
      log,
    };
    running.push(await startWebhookServer(parts, { port: webhook.port }));
  }
  const election = new LeaderElection({ config, namespace, replica: settings.replica, log });
  running.push(election);
  const { replica, statusPort } = settings;
  allFlows = new AllFlows({ collector, replicas, replica, statusPort });
  writer = new StatusWriter({ config, source, tables, election, namespace, replica, statusPort, log });
  running.push(writer);
  spread = new SessionSpread({ tables, replicas, replica, statusPort, log });
  running.push(spread);
  serving = true;
}

/** Questions go to all replicas; those who follow get what comes here. */
function observerOf(collector: Collector | undefined, all: AllFlows | undefined): Observer | undefined {
  if (collector === undefined || all === undefined) return undefined;
  return {
    askJson: (question) => all.askJson(question),
    follow: (question, signal) => collector.follow(question, signal),
  };
}

/** The same for users, edge by edge. */
function collectorFor(
  collector: Collector | undefined,
  all: AllFlows | undefined,
): FlowCollector | undefined {
  if (collector === undefined || all === undefined) return undefined;
  return {
    ask: (question) => all.ask(question),
    async *follow(question, signal) {
      for await (const some of collector.follow(question, signal)) yield* some;
    },
  };
}

/** Which copies nobody has confirmed for too long. */
function staleness(source: KubernetesSource): string | undefined {
  const stale = source.reflectors.filter(({ ageMs }) => ageMs > MAX_SYNC_AGE_MS).map(({ kind }) => kind);
  if (stale.length === 0) return undefined;
  return `the API server has not confirmed for ${MAX_SYNC_AGE_MS} ms: ${stale.join(', ')}`;
}

function unsyncedness(source: KubernetesSource): string {
  const missing = source.reflectors.filter(({ synced }) => !synced).map(({ kind }) => kind);
  return missing.length === 0 ? 'starting' : `not synced with the API server: ${missing.join(', ')}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
