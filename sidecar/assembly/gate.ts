/** The gate of a running sidecar, with those who hear of it: what is in force, and the reports of what it drops. */
import type { Logger } from 'pino';
import { Changes } from '../../common/pacing.ts';
import type { Direction } from '../../policy/index.ts';
import {
  areRulesThere,
  DenialReport,
  type DenialSink,
  type DeniedPeer,
  Gate,
  type GateEvents,
  type GateSettings,
  UnmetPeers,
} from '../gate/kernel/index.ts';
import type { InForceMachine } from '../in_force/index.ts';
import type { Recorder, SidecarMetrics } from '../records/index.ts';
import type { Enforcement, MembershipQueries } from '../table/index.ts';
import { Newcomers } from './newcomers.ts';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** Most Services that a log line or /readyz names; a metric has their number. */
export const SERVICES_SHOWN = 20;

/** What the gate reports to. */
export interface GateParts {
  readonly inForce: InForceMachine;
  readonly enforcement: Enforcement;
  readonly membership: MembershipQueries;
  /** Canonical addresses of those that the pod asks. */
  readonly nameServers: readonly string[];
  readonly recorder: Recorder;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
}

/** Owns the gate and the reports, which know nothing of each other. */
export class WatchedGate implements GateEvents {
  readonly gate: Gate;
  readonly #reports: readonly DenialReport[];
  readonly #newcomers: Readonly<Record<Direction, Newcomers>>;
  readonly #unmet: UnmetPeers;
  readonly #inForce: InForceMachine;
  readonly #log: Logger;
  #wasThere = false;
  readonly #mixed = new Changes('');
  readonly #overBounds = new Changes('');

  /** @param exempt addresses of the own node beside the table's */
  constructor(settings: GateSettings, exempt: readonly string[], parts: GateParts) {
    this.#inForce = parts.inForce;
    this.#log = parts.log;
    this.gate = new Gate(settings, exempt, this);
    const newcomersOf = (direction: Direction): Newcomers =>
      new Newcomers(direction, { ...parts, unreadable: () => void this.gate.ensure() });
    this.#newcomers = { ingress: newcomersOf('ingress'), egress: newcomersOf('egress') };
    this.#unmet = new UnmetPeers(this.#newcomers);
    this.#reports = DIRECTIONS.map(
      (direction) =>
        new DenialReport(direction, new Denials(direction, this.gate, this.#newcomers[direction], parts)),
    );
  }

  /** Looks whether the redirect step has left a gate, which it does where there is nft. */
  async look(): Promise<void> {
    this.#wasThere = await areRulesThere(false);
  }

  /** Whether the kernel has rules that let nobody in who was not asked about: only then groups may come in part. */
  get isThere(): boolean {
    const { state } = this.#inForce.state.gate;
    return state === 'in-force' || state === 'old-rules' || (state === 'closed' && this.#wasThere);
  }

  /** Begins to read what was dropped, and who may be let in after all. */
  startReports(): void {
    void this.#unmet.start();
    for (const report of this.#reports) void report.start();
  }

  /** Reports what was dropped until now, and stops reading. */
  async closeReports(): Promise<void> {
    this.#unmet.close();
    for (const report of this.#reports) await report.close();
  }

  /** Logs what the table in force cannot have in full, when that is news. */
  #logShortcomings(): void {
    const { mixedServices, overBounds } = this.gate;
    const services = mixedServices.slice(0, SERVICES_SHOWN);
    if (this.#mixed.isNew(services.join()))
      this.#log.info(
        { services, count: mixedServices.length },
        'policy allows some backends of Services and not others: connections go to the allowed ones',
      );
    if (this.#overBounds.isNew(overBounds.join()) && overBounds.length > 0)
      this.#log.warn(
        { warnings: overBounds },
        'a table is beyond the bounds of the gate: it admits less than policy says',
      );
  }

  inForce(change: number, revision: number): void {
    this.#logShortcomings();
    this.#newcomers.egress.askBackends(this.gate.mixedPorts);
    this.#inForce.happened({ event: 'gate-in-force', change, revision });
  }

  closed(): void {
    this.#inForce.happened({ event: 'gate-closed' });
  }

  failed(rules: 'stay' | 'gone', problem: string): void {
    this.#inForce.happened({ event: 'gate-failed', rules, problem });
  }

  unavailable(rules: 'stay' | 'gone', problem: string): void {
    this.#inForce.happened({ event: 'gate-unavailable', rules, problem });
  }

  async beforeReplace(): Promise<void> {
    await Promise.all(this.#reports.map((report) => report.collect()));
  }

  replaced(): void {
    for (const report of this.#reports) report.reset();
  }
}

/** Records what the gate dropped in one direction. */
class Denials implements DenialSink {
  readonly #direction: Direction;
  readonly #gate: Gate;
  readonly #newcomers: Newcomers;
  readonly #parts: GateParts;

  constructor(direction: Direction, gate: Gate, newcomers: Newcomers, parts: GateParts) {
    this.#direction = direction;
    this.#gate = gate;
    this.#newcomers = newcomers;
    this.#parts = parts;
  }

  /** Before the first table too: the gate is closed then. */
  active(): boolean {
    return this.#parts.enforcement.table?.[this.#direction].isolating.length !== 0;
  }

  ask(peers: readonly DeniedPeer[]): Promise<void> | undefined {
    return this.#newcomers.ask(peers);
  }

  /** Who was kept out only until it was asked about was not denied. */
  denied(peer: DeniedPeer): void {
    if (this.#newcomers.isAdmitted(peer)) return;
    this.#parts.recorder.dropped(this.#direction, peer);
  }

  more(summary: { readonly peers: number; readonly packets: number }): void {
    this.#parts.recorder.droppedMore(this.#direction, summary);
  }

  dropped(packets: number): void {
    this.#parts.metrics.gateDropped(this.#direction, packets);
  }

  unreadable(): void {
    void this.#gate.ensure();
  }
}
