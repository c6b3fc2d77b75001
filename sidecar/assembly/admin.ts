/** The admin port: what its pages and the metrics show of the parts. All is read when it is asked for. */
import type { Logger } from 'pino';
import type { ConnectionPath } from '../../common/path.ts';
import type { Sockets } from '../../native/index.ts';
import { type AddressGroup, dnsForgottenBy, tableJson } from '../../policy/index.ts';
import { type AdminPages, AdminPort, type AdminPortContext, adminServers } from '../admin/index.ts';
import type { Binding, Guard } from '../guard/index.ts';
import { type InForce, type InForceMachine, phase } from '../in_force/index.ts';
import type { Backlogs, InboundLimits } from '../inbound/index.ts';
import type { FlowHistory, Gauges, SidecarMetrics } from '../records/index.ts';
import { pathsText } from '../redirect/index.ts';
import type { Enforcement } from '../table/index.ts';
import type { Direct, PathsInUse } from './direct.ts';
import { SERVICES_SHOWN, type WatchedGate } from './gate.ts';
import type { Outbound } from './outbound.ts';
import type { State } from './state.ts';

const MS_PER_SECOND = 1000;

const ADMIN_PORT_TAKEN =
  'there is no admin port, so probes fail: an app has it; it is tried again. Enforcement goes on without it';

/** What is shown. */
export interface AdminParts {
  readonly state: State;
  readonly inForce: InForceMachine;
  readonly gate: WatchedGate;
  readonly guard: Guard;
  readonly outbound: Outbound;
  readonly direct: Direct;
  readonly backlogs: Backlogs;
  readonly history: FlowHistory;
  readonly metrics: SidecarMetrics;
  readonly limits: InboundLimits;
  /** What the relay lacks. */
  readonly relayLimits: readonly string[];
}

/** Serves the admin port, or goes on without it while an app has it. */
export function openAdmin(port: number, sockets: Sockets, parts: AdminParts, log: Logger): AdminPort {
  parts.metrics.readFrom(new Figures(parts));
  const context: AdminPortContext = {
    sockets,
    port,
    server: adminServers(parts.guard.nodeIPs, new Pages(parts)),
    taken: (err) => log.error({ err }, ADMIN_PORT_TAKEN),
    had: () => log.info({ port }, 'the admin port is served now'),
  };
  const admin = new AdminPort(context);
  admin.open();
  return admin;
}

/** The pages. */
class Pages implements AdminPages {
  readonly metricsType: string;
  readonly #parts: AdminParts;

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.metricsType = parts.metrics.registry.contentType;
  }

  notReady(): readonly string[] {
    return this.#parts.inForce.blockers.map(({ name, problem }) => `${name}: ${problem}`);
  }

  status(): object {
    const { state, inForce, gate, guard, outbound, direct, backlogs } = this.#parts;
    const now = inForce.state;
    return {
      revision: state.enforcement.revision,
      table_age_seconds: ageSeconds(state.enforcement) ?? null,
      in_force: phase(now),
      acknowledged: now.acknowledged,
      gate: now.gate,
      path: pathsText(direct.inUse.paths),
      path_reason: direct.inUse.reason,
      ...(direct.problem === undefined ? {} : { path_problem: direct.problem }),
      ...(direct.cut === undefined ? {} : { direct_cut: direct.cut }),
      guard: guard.status,
      redirect_limits: now.redirectLimits,
      gate_limits: gate.gate.limits,
      relay_limits: this.#parts.relayLimits,
      full_ports: backlogs.full,
      outbound_cut: outbound.problem ?? 'at once',
      services_partly_allowed: gate.gate.mixedServices.slice(0, SERVICES_SHOWN),
      warnings: this.#warnings(),
    };
  }

  async connections(): Promise<unknown> {
    await this.#parts.direct.count();
    return [...this.#parts.state.live].map((flow) => flow.view());
  }

  table(): unknown {
    const { table } = this.#parts.state.enforcement;
    return table && tableJson(table);
  }

  flows(): unknown {
    return this.#parts.history.list();
  }

  metrics(): Promise<string> {
    return this.#parts.metrics.registry.metrics();
  }

  #warnings(): readonly string[] {
    const { table } = this.#parts.state.enforcement;
    if (table === undefined) return [];
    const forgotten = dnsForgottenBy(table);
    return [...(forgotten === undefined ? [] : [forgotten]), ...this.#parts.gate.gate.overBounds];
  }
}

/** The gauges of /metrics. */
class Figures implements Gauges {
  readonly #parts: AdminParts;

  constructor(parts: AdminParts) {
    this.#parts = parts;
  }

  connectionsOpen(path: ConnectionPath): number {
    return this.#parts.state.live.sizeOf(path);
  }

  paths(): PathsInUse {
    return this.#parts.direct.inUse;
  }

  connectionsLimit(): number {
    return this.#parts.limits.connections.flows;
  }

  tableRevision(): number {
    return this.#parts.state.enforcement.revision;
  }

  tableAgeSeconds(): number | undefined {
    return ageSeconds(this.#parts.state.enforcement);
  }

  servicesPartlyAllowed(): number {
    return this.#parts.gate.gate.mixedServices.length;
  }

  partialGroups(): number {
    return this.#partialGroups().length;
  }

  metAddresses(): number {
    return new Set(this.#partialGroups().flatMap(({ members }) => [...members.keys()])).size;
  }

  #partialGroups(): readonly AddressGroup[] {
    const groups = this.#parts.state.enforcement.table?.groups.values() ?? [];
    return [...groups].filter(({ partial }) => partial);
  }

  inForce(): InForce {
    return this.#parts.inForce.state;
  }

  ownNodeAddresses(kind: Binding['kind']): number {
    return this.#parts.guard.count(kind);
  }
}

/** Since the injector last confirmed the table, or since that of the disk was written; absent before the first table. */
function ageSeconds({ confirmedAtMs }: Enforcement): number | undefined {
  return confirmedAtMs === 0 ? undefined : (Date.now() - confirmedAtMs) / MS_PER_SECOND;
}
