/** Puts the sidecar together, in the order that keeps it closed until it can judge, and takes it down again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openLog } from '../common/log.ts';
import { VERSION } from '../common/version.ts';
import { openSockets, type Sockets } from '../native/index.ts';
import { type Direction, dnsForgottenBy } from '../policy/index.ts';

import { AdminPort, adminServers } from './admin/index.ts';
import type { SidecarConfig } from './config.ts';
import { DenialReport, Gate, holdSyns, releaseSyns } from './gate/kernel/index.ts';
import type { GuardReason } from './guard/index.ts';
import { bindingText, Guard } from './guard/index.ts';
import { BringIntoForce, blockers, type InForceEvent, logTransition, phase } from './in_force/index.ts';
import {
  acceptInbound,
  Backlogs,
  bufferLimit,
  connectionLimit,
  descriptorLimit,
  type InboundContext,
  memoryLimit,
  pipeLimit,
} from './inbound/index.ts';
import { backlogRoom } from './kernel/index.ts';
import { OutboundCutter, OutboundEnds } from './outbound/index.ts';
import { FlowHistory, Recorder, SidecarMetrics } from './records/index.ts';
import type { RedirectConfig } from './redirect/index.ts';
import { Canary, leadRedirect, verifyRedirect } from './redirect/index.ts';
import type { Relay } from './relay/index.ts';
import { onFreePort, startRelay } from './relay/index.ts';
import {
  Enforcement,
  LiveTable,
  localTransport,
  Owners,
  TableFile,
  TableStream,
  type Transport,
  tlsTransport,
} from './table/index.ts';
import { drainLeftMs, terminationBeganAtMs } from './termination.ts';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** A relay tells within 3 ms of what it admitted from memory: ample time for all that it accepted before it was to stop. */
const LAST_ACCEPTED_MS = 50;

/** How often a drain looks whether flows are left. */
const DRAIN_POLL_MS = 50;

/** How long the ends of flows that a drain has reset may take to be recorded. */
const LAST_RECORDS_MS = 1_000;

/** Errors of single connections come by the thousand when something is wrong: one line per interval tells enough. */
const ERROR_LOG_MS = 1_000;

/** How often, at most, what does not lead to the proxy is led there again, and its failure logged, ms. It takes some processes. */
const LEAD_AGAIN_MS = 3_000;
const LEAD_LOG_MS = 10_000;

/** What the guard drops may come in floods: one line per reason and interval. */
const GUARD_LOG_MS = 10_000;

const MS_PER_SECOND = 1000;

const ADMIN_PORT_TAKEN =
  'there is no admin port, so probes fail: an app has it; it is tried again. Enforcement goes on without it';

/** Most Services that a log line or /readyz names; a metric has their number. */
const SERVICES_SHOWN = 20;

/**
 * Enforces until SIGTERM or SIGINT, then drains and resolves.
 * @throws SluiceError, or a system error, when it cannot start; nothing is then admitted: the redirect has no listener
 */
export async function runSidecar(config: SidecarConfig): Promise<void> {
  const log = openLog(config.logLevel);
  const descriptors = descriptorLimit();
  const memory = memoryLimit();
  const { flows: limit, by } = connectionLimit(
    config.maxConnections,
    descriptors,
    memory,
    config.relayThreads,
  );
  log.info(
    {
      version: VERSION,
      config,
      connection_limit: limit,
      connection_limit_by: by,
      memory_limit_bytes: memory,
    },
    'starting',
  );

  const live = new LiveTable();
  let relay: Relay | undefined;
  const enforcement = new Enforcement(live, () => relay?.forgetAdmissions(), config.nodePorts);
  const file = new TableFile(config.stateDir, (err) =>
    log.error({ err }, 'the table could not be kept on disk'),
  );
  await file.check().catch((err: Error) => {
    log.error(
      { err },
      `${config.stateDir} cannot keep the table: after a restart everything is denied until one arrives`,
    );
  });
  restoreTable(config, file, enforcement, log);

  const guard: Guard = await Guard.open(config.nodeIPs, {
    dropped({ reason, packets, sources }) {
      metrics.guardDropped(reason, packets);
      const said = { reason, packets, sources };
      guardDropped[reason](said);
    },
    rebound: ({ address, hop, binding }) =>
      log.info({ address, hop, known_by: bindingText(binding) }, 'how the own node is known has changed'),
    contested(hop, claimed) {
      metrics.gatewayDisputed();
      disputed({ hop, claimed });
    },
    failed: rarely(ERROR_LOG_MS, (problem: string) =>
      log.error({ problem }, 'the guard was not looked after'),
    ),
  });
  const guardDropped = mapReasons((message) =>
    rarely(GUARD_LOG_MS, (said: object) => log.warn(said, message)),
  );
  const disputed = rarely(GUARD_LOG_MS, (said: object) =>
    log.warn(said, "somebody else answers for the own node's next hop: it stays known as it was"),
  );
  logGuard(log, guard);
  const exempt = guard.nodeIPs;
  const { injector } = config;
  const ends: OutboundEnds = new OutboundEnds(
    () => enforcement.judge,
    {
      ended: (flow) => recorder.outbound(flow),
      overrun() {
        metrics.outboundOverrun();
        overrun();
      },
      failed: (err) => log.error({ err }, 'outbound flows that end have no record'),
    },
    { injector },
  );
  const overrun = rarely<void>(ERROR_LOG_MS, () =>
    log.warn('more outbound flows ended at once than could be taken note of: some have no record'),
  );
  const cutter = new OutboundCutter((ended) => recorder.outbound(ended), { injector, claims: ends });
  const cutFailed = rarely(ERROR_LOG_MS, (err: Error) =>
    log.error({ err }, 'outbound connections were not ended at once'),
  );
  const cut = async (): Promise<void> => {
    if (enforcement.judge !== undefined) await cutter.cut(enforcement.judge).catch(cutFailed);
  };
  const inForce: BringIntoForce = new BringIntoForce({
    program(change) {
      if (enforcement.table !== undefined) void gate.enforce(enforcement.table, change);
    },
    async cut() {
      // What was opened until the gate was shut.
      await cut();
      if (enforcement.judge !== undefined) await cutter.forgetBackends(enforcement.judge).catch(cutFailed);
    },
    keep: () => file.flush(),
    acknowledge: (revision) => stream.acknowledge(revision),
    lookForCause() {
      void gate.ensure();
      leadAgain();
    },
    changed: (before, after) => logTransition(log, before, after),
  });
  /** The proxy may have another port than before, or than the init step knew: the rules follow it. Never rejects. */
  const lead = oneAtATime(async (): Promise<void> => {
    const { inboundPort: port } = redirect;
    try {
      if (await leadRedirect(port)) log.warn({ port }, 'the redirect leads to another port now');
    } catch (err) {
      leadFailed(err as Error);
    }
  });
  const leadAgain = rarely<void>(LEAD_AGAIN_MS, () => void lead());
  const leadFailed = rarely(LEAD_LOG_MS, (err: Error) =>
    log.error({ err }, 'the redirect does not lead to the port of the proxy; it is tried again'),
  );
  const gate: Gate = new Gate(config, exempt, {
    inForce: (change, revision) => inForce.happened({ event: 'gate-in-force', change, revision }),
    closed: () => inForce.happened({ event: 'gate-closed' }),
    failed: (rules, problem) => inForce.happened({ event: 'gate-failed', rules, problem }),
    unavailable: (rules, problem) => inForce.happened({ event: 'gate-unavailable', rules, problem }),
    beforeReplace: async () => void (await Promise.all(denials.map((report) => report.collect()))),
    replaced() {
      for (const report of denials) report.reset();
    },
  });
  let redirectLimits: readonly string[] = [];
  const canary: Canary = new Canary({
    port: config.canaryPort,
    verify: async () => {
      const { limits } = await verifyRedirect(redirect);
      if (limits.join() !== redirectLimits.join())
        log.warn({ limits }, 'this kernel cannot do all of the redirect');
      redirectLimits = limits;
    },
    isIntact: () => inForce.state.redirect.state === 'intact',
    checked: (problem) => inForce.happened({ event: 'redirect', problem }),
  });
  const metrics = new SidecarMetrics(VERSION, {
    connectionsOpen: () => live.size,
    connectionsLimit: () => limit,
    tableRevision: () => enforcement.revision,
    tableAgeSeconds: () => ageSeconds(enforcement.confirmedAtMs),
    servicesPartlyAllowed: () => gate.mixedServices.length,
    inForce: () => inForce.state,
    ownNodeAddresses: (kind) => guard.count(kind),
  });
  const sayMixed = onChange('', () =>
    log.info(
      { services: gate.mixedServices.slice(0, SERVICES_SHOWN), count: gate.mixedServices.length },
      'policy allows some backends of Services and not others: connections go to the allowed ones',
    ),
  );
  const sayOverBounds = onChange('', (warnings) => {
    if (warnings !== '')
      log.warn(
        { warnings: gate.overBounds },
        'a table is beyond the bounds of the gate: it admits less than policy says',
      );
  });
  const history = new FlowHistory(config.flowHistory);
  const owners = new Owners((address) => stream.identify(address));
  const recorder = new Recorder(history, metrics, enforcement, owners, log);
  const denials = DIRECTIONS.map(
    (direction) =>
      new DenialReport(direction, {
        active: () => enforcement.table?.[direction].isolating.length !== 0,
        denied: (peer) => recorder.dropped(direction, peer),
        more: (summary) => recorder.droppedMore(direction, summary),
        dropped: (packets) => metrics.gateDropped(direction, packets),
        unreadable: () => void gate.ensure(),
      }),
  );
  const sockets = openSockets();
  const stream = new TableStream(
    openTransport(config, sockets),
    { namespace: config.podNamespace, name: config.podName },
    enforcement,
    streamEvents(enforcement, file, owners, metrics, log, () => {
      ends.follow();
      void cut(); // at once; again when the gate is shut
      guard.expect(enforcement.table?.subject.nodeIPs ?? []);
      inForce.happened(tableEvent(enforcement));
      sayMixed(gate.mixedServices.slice(0, SERVICES_SHOWN).join());
      sayOverBounds(gate.overBounds.join());
    }),
  );
  const backlogs = new Backlogs(
    { room: backlogRoom, hold: holdSyns, release: releaseSyns },
    rarely(ERROR_LOG_MS, (err: Error) => {
      if (inForce.state.gate.state !== 'unavailable')
        log.warn({ err }, "an app's full accept queue is not heeded");
    }),
  );
  const adminServer = adminServers(exempt, {
    notReady: () => blockers(inForce.state).map(({ name, problem }) => `${name}: ${problem}`),
    status: () => ({
      revision: enforcement.revision,
      table_age_seconds: ageSeconds(enforcement.confirmedAtMs) ?? null,
      in_force: phase(inForce.state),
      acknowledged: inForce.state.acknowledged,
      gate: inForce.state.gate,
      guard: guard.status,
      redirect_limits: redirectLimits,
      gate_limits: gate.limits,
      full_ports: backlogs.full,
      outbound_cut: cutter.problem ?? 'at once',
      services_partly_allowed: gate.mixedServices.slice(0, SERVICES_SHOWN),
      warnings:
        enforcement.table === undefined
          ? []
          : [...[dnsForgottenBy(enforcement.table) ?? []].flat(), ...gate.overBounds],
    }),
    connections: () => [...live].map((flow) => flow.view()),
    table: () => enforcement.table,
    flows: () => history.list(),
    metrics: () => metrics.registry.metrics(),
    metricsType: metrics.registry.contentType,
  });
  const admin = new AdminPort({
    sockets,
    port: config.adminPort,
    server: adminServer,
    taken: (err) => log.error({ err }, ADMIN_PORT_TAKEN),
    had: () => log.info({ port: config.adminPort }, 'the admin port is served now'),
  });
  admin.open();
  ends.follow();
  if (enforcement.table !== undefined) {
    guard.expect(enforcement.table.subject.nodeIPs);
    inForce.happened(tableEvent(enforcement));
    await gate.tried();
  }
  guard.follow();
  const dialFailed = rarely(ERROR_LOG_MS, (problem: string) =>
    log.error({ problem }, 'the app could not be dialled'),
  );
  const acceptErrors = rarely(ERROR_LOG_MS, (problem: string) =>
    log.error({ problem }, 'a connection was not accepted'),
  );
  const startOn = async (inboundPort: number): Promise<{ relay: Relay; inboundPort: number }> => {
    const context: InboundContext = {
      ...config,
      inboundPort,
      enforcement,
      live,
      connectionLimit: limit,
      canaryArrived: (family, port) => canary.arrived(family, port),
      verdictTaken: (seconds) => metrics.verdictTaken(seconds),
      record: (facts) => recorder.flow(facts),
      dialled: (connection) => backlogs.dialled(connection),
      dialFailed,
    };
    const settings = {
      ...config,
      inboundPort,
      sockets,
      connectionLimit: limit,
      pipeLimit: pipeLimit(descriptors),
      bufferBytes: bufferLimit(memory),
      threads: config.relayThreads,
    };
    const started = await startRelay(config.relay, settings, {
      accepted: (connection) => acceptInbound(connection, context),
      acceptFailed(error) {
        metrics.acceptFailed();
        acceptErrors(error);
      },
    });
    return { relay: started, inboundPort };
  };
  const { adminPort, canaryPort, excludedPorts } = config;
  const started = await onFreePort(config.inboundPort, [adminPort, canaryPort, ...excludedPorts], startOn);
  relay = started.relay;
  const redirect: RedirectConfig = { ...config, inboundPort: started.inboundPort };
  log.info(
    { families: relay.families, port: started.inboundPort, revision: enforcement.revision },
    'listening',
  );
  if (started.inboundPort !== config.inboundPort) {
    log.error({ port: config.inboundPort }, 'an app has the port of the proxy: it listens on another one');
    await lead();
  }
  stream.start();
  void canary.start(relay.families);
  for (const report of denials) void report.start();

  const signal = await terminated();
  const times = { startedAtMs: performance.timeOrigin, nowMs: Date.now() };
  const drainMs = drainLeftMs(config.drainMs, terminationBeganAtMs(config.stateDir), times);
  log.info({ signal, connections: live.size, drain_seconds: drainMs / MS_PER_SECOND }, 'draining');
  canary.close(); // its port goes with the listeners
  relay.stopAccepting(); // from here on the redirect has no listener: new connections are dropped
  backlogs.close();
  await sleep(LAST_ACCEPTED_MS);
  await drained(live, drainMs);
  for (const flow of live) flow.drain();
  await drained(live, LAST_RECORDS_MS);
  relay.close();
  admin.close();
  for (const report of denials) await report.close();
  await ends.close();
  await owners.close(); // the last records are written
  stream.close();
  gate.close(); // its rules stay: the kernel goes on enforcing
  await file.flush(); // before what may wait for a tool
  await guard.close(); // its rules stay as well
  log.info('stopped');
}

function openTransport({ source, podNamespace, podName }: SidecarConfig, sockets: Sockets): Transport {
  return source.kind === 'tls'
    ? tlsTransport(source, sockets)
    : localTransport(source.path, { namespace: podNamespace, name: podName });
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

function tableEvent({ table, revision }: Enforcement): InForceEvent {
  return { event: 'table', revision, isolatesEgress: table?.egress.isolating.length !== 0 };
}

/** @param another the proxy judges by another table */
function streamEvents(
  enforcement: Enforcement,
  file: TableFile,
  owners: Owners,
  metrics: SidecarMetrics,
  log: Logger,
  another: () => void,
): ConstructorParameters<typeof TableStream>[3] {
  const warnOfDns = onChange<string | undefined>(undefined, (warning) => {
    if (warning !== undefined) log.warn({ warning }, 'egress without DNS');
  });
  return {
    connected: () => log.info('connected to the injector'),
    disconnected(reason) {
      owners.lost();
      log.warn(
        { reason, revision: enforcement.revision },
        enforcement.table === undefined
          ? 'no connection to the injector: everything stays denied until the first table'
          : 'no connection to the injector: the last table stays in force',
      );
    },
    identified: (address, pod) => owners.answer(address, pod),
    enforced(ended) {
      const { table } = enforcement;
      if (table === undefined) return;
      file.save(table);
      log.info({ revision: table.revision, flows_ended: ended }, 'table in force');
      warnOfDns(dnsForgottenBy(table));
      another();
    },
    refused(err) {
      metrics.frameRefused();
      log.error({ err }, 'a frame from the injector was refused: the last table stays in force');
    },
    unknownPod: (message) => log.warn({ message }, 'the injector has no table for this pod yet'),
    turnedAway: (message) =>
      log.error({ message }, 'the injector refused this sidecar: the last table stays in force'),
  };
}

/** What each reason of the guard says in the log. */
const GUARD_MESSAGES: Readonly<Record<GuardReason, string>> = {
  'forged-source': "packets with a source address that is not the pod's own were dropped on their way out",
  'forged-node': "packets with the own node's address that did not come from it were dropped",
  'source-route': 'packets with a route of their own were dropped',
  'foreign-router': 'advertisements of an unknown router were dropped',
};

function mapReasons<T>(make: (message: string) => T): Readonly<Record<GuardReason, T>> {
  return {
    'forged-source': make(GUARD_MESSAGES['forged-source']),
    'forged-node': make(GUARD_MESSAGES['forged-node']),
    'source-route': make(GUARD_MESSAGES['source-route']),
    'foreign-router': make(GUARD_MESSAGES['foreign-router']),
  };
}

function logGuard(log: Logger, { status }: Guard): void {
  if (status.packets !== status.frames || status.own_node.some(({ known_by }) => known_by.includes('alone')))
    log.warn({ guard: status }, 'this network or kernel lacks something that tells forged addresses');
  else log.info({ guard: status }, 'the guard is in force');
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

/** Calls `action` unless it is at work already. */
function oneAtATime(action: () => Promise<void>): () => Promise<void> {
  let working: Promise<void> | undefined;
  return () => {
    working ??= action().finally(() => {
      working = undefined;
    });
    return working;
  };
}

/** Calls `action` with a value that differs from the one before. */
function onChange<T>(before: T, action: (value: T) => void): (value: T) => void {
  let last = before;
  return (value) => {
    if (value === last) return;
    last = value;
    action(value);
  };
}

/** Waits until no flow is left, at most so long. */
async function drained(live: LiveTable, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (live.size > 0 && performance.now() < deadline) await sleep(DRAIN_POLL_MS);
}

function terminated(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
