/** The gate of a running sidecar, with those who hear of it: what is in force, and the reports of what it drops. */
import type { Logger } from 'pino';
import { Changes } from '../../common/pacing.ts';
import type { Direction } from '../../policy/index.ts';
import {
  DenialReport,
  type DenialSink,
  type DeniedPeer,
  Gate,
  type GateEvents,
  type GateSettings,
} from '../gate/kernel/index.ts';
import type { InForceMachine } from '../in_force/index.ts';
import type { Recorder, SidecarMetrics } from '../records/index.ts';
import type { Enforcement } from '../table/index.ts';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** Most Services that a log line or /readyz names; a metric has their number. */
export const SERVICES_SHOWN = 20;

/** What the gate reports to. */
export interface GateParts {
  readonly inForce: InForceMachine;
  readonly enforcement: Enforcement;
  readonly recorder: Recorder;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
}

/** Owns the gate and the reports, which know nothing of each other. */
export class WatchedGate implements GateEvents {
  readonly gate: Gate;
  readonly #reports: readonly DenialReport[];
  readonly #inForce: InForceMachine;
  readonly #log: Logger;
  readonly #mixed = new Changes('');
  readonly #overBounds = new Changes('');

  /** @param exempt addresses of the own node beside the table's */
  constructor(settings: GateSettings, exempt: readonly string[], parts: GateParts) {
    this.#inForce = parts.inForce;
    this.#log = parts.log;
    this.gate = new Gate(settings, exempt, this);
    this.#reports = DIRECTIONS.map(
      (direction) => new DenialReport(direction, new Denials(direction, this.gate, parts)),
    );
  }

  /** Begins to read what was dropped. */
  startReports(): void {
    for (const report of this.#reports) void report.start();
  }

  /** Reports what was dropped until now, and stops reading. */
  async closeReports(): Promise<void> {
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
  readonly #parts: GateParts;

  constructor(direction: Direction, gate: Gate, parts: GateParts) {
    this.#direction = direction;
    this.#gate = gate;
    this.#parts = parts;
  }

  /** Before the first table too: the gate is closed then. */
  active(): boolean {
    return this.#parts.enforcement.table?.[this.#direction].isolating.length !== 0;
  }

  denied(peer: DeniedPeer): void {
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
