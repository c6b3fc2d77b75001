/** What follows from what the injector sends: above all, from another table. */
import type { Logger } from 'pino';
import { Changes } from '../../common/pacing.ts';
import { dnsForgottenBy, type PeerIdentity, type Table, type TableChange } from '../../policy/index.ts';
import type { Guard } from '../guard/index.ts';
import type { InForceMachine } from '../in_force/index.ts';
import type { SidecarMetrics } from '../records/index.ts';
import type { MembershipQueries, Owners, StreamEvents } from '../table/index.ts';
import type { Direct } from './direct.ts';
import type { WatchedGate } from './gate.ts';
import type { Outbound } from './outbound.ts';
import type { State } from './state.ts';

/** Who has to know of another table, or of the connection. */
export interface TableParts {
  readonly state: State;
  readonly inForce: InForceMachine;
  readonly gate: WatchedGate;
  readonly guard: Guard;
  readonly outbound: Outbound;
  readonly direct: Direct;
  readonly owners: Owners;
  readonly membership: MembershipQueries;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
}

/** Hears the stream of tables. */
export class TableFollower implements StreamEvents {
  readonly #parts: TableParts;
  readonly #dnsWarnings = new Changes<string | undefined>(undefined);

  constructor(parts: TableParts) {
    this.#parts = parts;
  }

  connected(): void {
    this.#parts.membership.again();
    this.#parts.log.info('connected to the injector');
  }

  moved(reason: string): void {
    const { owners, membership, log } = this.#parts;
    owners.lost();
    membership.again();
    log.info({ reason }, 'moved to another replica of the injector');
  }

  disconnected(reason: string): void {
    const { state, owners, log } = this.#parts;
    owners.lost();
    log.warn(
      { reason, revision: state.enforcement.revision },
      state.enforcement.table === undefined
        ? 'no connection to the injector: everything stays denied until the first table'
        : 'no connection to the injector: the last table stays in force',
    );
  }

  /** The proxy judges by another table. The kernel and the disk follow, and then it is acknowledged: see `Effects`. */
  enforced(ended: number, changes?: readonly TableChange[]): void {
    const { state, outbound, direct, log } = this.#parts;
    const { table } = state.enforcement;
    if (table === undefined) return;
    state.file.save(table, changes);
    log.info({ revision: table.revision, flows_ended: ended }, 'table in force');
    this.#warnOfDns(table);
    outbound.follow();
    direct.tableChanged();
    void outbound.cut(); // at once; again when the gate is shut
    this.#bringIntoForce(table);
  }

  /**
   * The table that was on disk, if there was one, is brought into force as one that the injector has sent.
   * Resolves when that was tried once: before then nothing is accepted.
   */
  async restored(): Promise<void> {
    const { state, outbound, gate } = this.#parts;
    const { table } = state.enforcement;
    outbound.follow();
    if (table === undefined) return;
    this.#bringIntoForce(table);
    await gate.gate.tried();
  }

  refused(err: Error): void {
    this.#parts.metrics.frameRefused();
    this.#parts.log.error({ err }, 'a frame from the injector was refused: the last table stays in force');
  }

  unknownPod(message: string): void {
    this.#parts.log.warn({ message }, 'the injector has no table for this pod yet');
  }

  identified(address: string, pod: PeerIdentity | null, tag: string | undefined): void {
    this.#parts.owners.answer(address, pod, tag);
  }

  turnedAway(message: string): void {
    this.#parts.log.error({ message }, 'the injector refused this sidecar: the last table stays in force');
  }

  olderInjector(message: string): void {
    const { owners, log } = this.#parts;
    owners.lost();
    log.info(
      { message },
      'the injector is older than this sidecar: it is asked for the tables that it serves',
    );
  }

  #bringIntoForce(table: Table): void {
    const { guard, inForce } = this.#parts;
    guard.expect(table.subject.nodeIPs);
    const isolatesEgress = table.egress.isolating.length !== 0;
    inForce.happened({ event: 'table', revision: table.revision, isolatesEgress });
  }

  #warnOfDns(table: Table): void {
    const warning = dnsForgottenBy(table);
    if (this.#dnsWarnings.isNew(warning) && warning !== undefined)
      this.#parts.log.warn({ warning }, 'egress without DNS');
  }
}
