/** Puts the sidecar together in a straight line of stages, and takes it down again. The stages are in `assembly/`. */
import { openLog, RecordLog, standardOutput } from '../common/log.ts';
import { pathText } from '../common/path.ts';
import { VERSION } from '../common/version.ts';
import { openSockets, type Sockets } from '../native/index.ts';
import {
  Direct,
  drain,
  drainTimeMs,
  Effects,
  exemptFrom,
  Leftovers,
  Outbound,
  openAdmin,
  openDataPath,
  openGuard,
  openRecords,
  openState,
  putRedirect,
  readNameServers,
  readPathsInUse,
  TableFollower,
  takeDown,
  terminated,
  WatchedGate,
  WatchedRedirect,
  watchBacklogs,
} from './assembly/index.ts';
import type { SidecarConfig } from './config.ts';
import { FlowReports } from './flows/index.ts';
import { InForceMachine, TransitionLog } from './in_force/index.ts';
import { inboundLimits } from './inbound/index.ts';
import { SidecarMetrics } from './records/index.ts';
import { pathUse } from './redirect/index.ts';
import { relayLimits } from './relay/index.ts';
import {
  InjectorLink,
  localTransport,
  MembershipQueries,
  TableStream,
  type Transport,
  tlsTransport,
} from './table/index.ts';

/**
 * Enforces until SIGTERM or SIGINT, then drains and resolves.
 *
 * At the start, in this order, which keeps the sidecar closed until it can judge:
 *
 * 0. A native sidecar puts the redirect and the closed gate in force. Until then it opens nothing, and nobody else runs.
 * 1. The last table is read from disk, and judged by.
 * 2. The guard is put in force.
 * 3. The admin port opens. /readyz says what is missing. The kernel is tried for the direct path, where nobody has.
 * 4. The table of the disk is brought into force: flows that do not pass the proxy are followed, and the kernel is tried once. Direct connections are
 *    followed; those that are there already are judged by that table.
 * 5. The guard is looked after.
 * 6. The proxy listens. Until here the redirect has no listener, so that nothing is admitted. From here on, a change of the
 *    table has the relay forget what it admitted.
 * 7. The injector is asked for tables, and told what flows there are.
 * 8. The redirect is watched, and what the gate drops is reported.
 *
 * At the stop:
 *
 * 1. The redirect is no longer watched; nothing is accepted any more; full accept queues are let go.
 * 2. Flows may finish. Those that are left are reset, and recorded.
 * 3. The relay and the admin port close.
 * 4. The last drops of the gate, and the last ends of outbound and direct flows, are recorded with the names that the injector can still give;
 *    and it is told of the last flows.
 * 5. The injector is asked no more. The connection to it closes, and the gate tries no more. Its rules stay.
 * 6. The latest table is on disk.
 * 7. The guard closes. Its rules stay.
 *
 * @throws SluiceError, or a system error, when it cannot start; nothing is then admitted: the redirect has no listener
 */
export async function runSidecar(config: SidecarConfig): Promise<void> {
  const output = standardOutput();
  const log = openLog(config.logLevel, output);
  const lines = new RecordLog(log, output);
  const limits = inboundLimits(config);
  const { flows: connection_limit, by: connection_limit_by } = limits.connections;
  log.info(
    {
      version: VERSION,
      config: { ...config, path: pathText(config.path) },
      connection_limit,
      connection_limit_by,
      memory_limit_bytes: limits.memoryBytes,
    },
    'starting',
  );

  // First of all: nothing gets in or out of the pod unchecked from here on.
  const applied = await putRedirect(config, log);

  // What it judges by, and what keeps addresses true.
  const metrics = new SidecarMetrics(VERSION);
  const state = await openState(config, log);
  const { enforcement } = state;
  const guard = await openGuard(config.nodeIPs, metrics, log, applied);
  const sockets = openSockets();

  // What carries the table out, and reports on it. Nothing happens here yet.
  const link = new InjectorLink();
  const written = { enforcement, link, metrics, log, lines };
  const { history, owners, recorder, counts } = openRecords(config, written);
  const flowReports = new FlowReports(counts, { send: (window) => link.sendFlows(window) });
  const membership = new MembershipQueries(link, () => metrics.meetUnanswered());
  enforcement.asks(membership);
  const outbound = new Outbound(config.injector, enforcement, membership, recorder, metrics, log);
  const inForce = new InForceMachine();
  const gate = new WatchedGate(config, guard.nodeIPs, {
    inForce,
    enforcement,
    membership,
    nameServers: readNameServers(),
    recorder,
    metrics,
    log,
  });
  const paths = await readPathsInUse(config, applied);
  const redirect = new WatchedRedirect(config, paths.paths, inForce, log, applied);
  const direct = new Direct(config, paths, { state, guard, redirect, recorder, owners, metrics, log });
  inForce.follow(new TransitionLog(log));
  const leftovers = new Leftovers(enforcement, exemptFrom(config, guard), () => redirect.inboundPort, log);
  inForce.follow(new Effects(inForce, { state, gate, outbound, direct, leftovers, redirect, link }));
  const tables = new TableFollower({
    state,
    inForce,
    gate,
    guard,
    outbound,
    direct,
    owners,
    membership,
    metrics,
    log,
  });
  const partialGroups = {
    areTaken: () => gate.isThere,
    acquaintances: () => enforcement.acquaintances(),
    met: (addresses: readonly string[]) => membership.answered(addresses),
  };
  const pod = podOf(config);
  const stream = new TableStream(transportOf(config, sockets), pod, enforcement, tables, {
    link,
    partialGroups,
    path: () => pathUse(paths.paths),
  });
  const backlogs = watchBacklogs(inForce, log);

  // It begins.
  const shown = {
    state,
    inForce,
    gate,
    guard,
    outbound,
    direct,
    backlogs,
    history,
    metrics,
    limits,
    relayLimits: relayLimits(config.relay),
  };
  const admin = openAdmin(config.adminPort, sockets, shown, log);
  await direct.prepare();
  await gate.look();
  await tables.restored();
  await direct.start();
  guard.follow();
  const proxy = { state, inForce, limits, sockets, redirect, recorder, owners, backlogs, metrics, log };
  const relay = await openDataPath(config, proxy);
  stream.start();
  flowReports.start();
  redirect.start();
  gate.startReports();

  const signal = await terminated();
  await drain(signal, drainTimeMs(config), { state, redirect, relay, backlogs, log });
  await takeDown({
    state,
    relay,
    admin,
    gate,
    outbound,
    direct,
    owners,
    flowReports,
    membership,
    stream,
    guard,
  });
  log.info('stopped');
}

function podOf({ podNamespace, podName }: SidecarConfig): { namespace: string; name: string } {
  return { namespace: podNamespace, name: podName };
}

function transportOf(config: SidecarConfig, sockets: Sockets): Transport {
  const { source } = config;
  return source.kind === 'tls' ? tlsTransport(source, sockets) : localTransport(source.path, podOf(config));
}
