/**
 * The gate: nftables rules in the pod's own network namespace, made from the same table that the proxy asks. It drops
 * denied SYNs before any handshake, and denied UDP and SCTP, which no proxy sees. A transaction that fails leaves the rules
 * from before it; it is tried again, and reported until it succeeds. When the sidecar dies, the kernel goes on enforcing.
 */

import { Backoff, type BackoffBounds } from '../../../common/backoff.ts';
import { messageOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { inSlices } from '../../../common/in_slices.ts';
import { LatestWins } from '../../../common/latest_wins.ts';
import { type Table, virtualKey } from '../../../policy/index.ts';
import { CLOSED_REVISION, closedPlan, type GatePlan, GatePlanner, overBounds } from '../plan/index.ts';
import { areRulesThere, injectorElements } from './install.ts';
import { KernelRules, type ReplaceEvents } from './kernel_rules.ts';
import type { GateSettings } from './settings.ts';

/** A refused transaction is tried again after this long. No jitter: nobody else waits for this kernel. */
const RETRY: BackoffBounds = { firstMs: 200, lastMs: 10_000, jitter: false };

/** What a failed transaction leaves in the kernel. */
type Left = 'stay' | 'gone';

/** What the gate reports; `in_force.ts` makes a state of it. */
export interface GateEvents extends ReplaceEvents {
  /** The kernel enforces this table. @param change what `enforce` was called with */
  inForce(change: number, revision: number): void;
  /** The kernel has closed rules: there is no table yet. */
  closed(): void;
  /** The rules could not be put in, or are gone; it is tried again. */
  failed(rules: Left, problem: string): void;
  /** There is no nft. It is tried again. */
  unavailable(rules: Left, problem: string): void;
}

/** The gate of a running sidecar: it brings the kernel to the latest table, one try at a time, until that has worked. */
export class Gate {
  readonly #settings: GateSettings;
  /** Exempt beside the table's own: gateways that the redirect step found. */
  readonly #nodeIPs: readonly string[];
  readonly #events: GateEvents;
  readonly #planner: GatePlanner;
  readonly #rules: KernelRules;
  /** The latest table, until it is planned. */
  #latest: { readonly table: Table; readonly change: number } | undefined;
  /** The plan of the last table that was planned. */
  #wanted: GatePlan;
  /** The number of that table; 0 before the first. */
  #wantedChange = 0;
  readonly #tries = new LatestWins<void>(() => this.#bringAbout());
  readonly #backoff = new Backoff(RETRY);
  /** Set while the next try has to wait. */
  #retryTimer: NodeJS.Timeout | undefined;
  /** The last event said that the rules are gone. */
  #isSaidGone = false;
  #closed = false;

  constructor(settings: GateSettings, nodeIPs: readonly string[], events: GateEvents) {
    this.#settings = settings;
    const { injector } = settings;
    this.#planner = new GatePlanner(injector && virtualKey(injector.address, 'TCP', injector.port));
    this.#nodeIPs = nodeIPs;
    this.#events = events;
    this.#rules = new KernelRules(settings, events);
    this.#wanted = closedPlan(nodeIPs, injectorElements(settings));
  }

  /** Virtual ports of the last table that was planned, of which policy allows some ready backends and not others. */
  get mixedServices(): readonly string[] {
    return [...this.#wanted.egress.services.mixed.values()].sort();
  }

  /** Their keys in the table. */
  get mixedPorts(): Iterable<string> {
    return this.#wanted.egress.services.mixed.keys();
  }

  /** What the kernel lacks for the gate and what follows from it, for people; empty where it has all. */
  get limits(): readonly string[] {
    return this.#rules.limits;
  }

  /** What of the last table that was planned is beyond the gate's bounds, for people; it admits less than policy says. */
  get overBounds(): readonly string[] {
    return overBounds(this.#wanted);
  }

  /**
   * Has the kernel enforce `table`; of several in a row only the last. A try that has begun is finished before a later table has
   * its own: else tables that come fast would keep each other from being enforced. Resolves at the end of the first try; events
   * say how it went. Never rejects.
   * @param change the number of this table: two tables may have the same revision
   */
  async enforce(table: Table, change: number): Promise<void> {
    this.#latest = { table, change };
    this.#wake();
    await this.tried();
  }

  /** Puts the rules in again, whole, if they are not in the kernel; closed ones before the first table. */
  async ensure(): Promise<void> {
    if (this.#tries.isBusy || (await areRulesThere()) || this.#tries.isBusy) return;
    if (this.#isSaidGone) return; // and is tried again
    this.#rules.forget();
    this.#isSaidGone = true;
    this.#events.failed('gone', 'somebody took its rules out');
    await this.tried();
  }

  /** Stops trying; the rules stay. */
  close(): void {
    this.#closed = true;
    this.#wake();
    void this.#tries.idle().then(() => this.#rules.close());
  }

  /** Resolves when there is nothing to do, or the next try has to wait. */
  async tried(): Promise<void> {
    if (this.#isDue) await this.#tries.do();
  }

  get #isDue(): boolean {
    const isThere = this.#latest === undefined && this.#wanted === this.#rules.plan;
    return !isThere && this.#retryTimer === undefined && !this.#closed;
  }

  async #bringAbout(): Promise<void> {
    if (!this.#isDue) return;
    const latest = this.#latest;
    try {
      await this.#planLatest();
      if (this.#closed) return;
      await this.#rules.enforce(this.#wanted);
    } catch (error) {
      await this.#failed(error);
      const isLatest = this.#latest === undefined || this.#latest === latest;
      if (isLatest) this.#retryLater(); // a table that has come meanwhile has its own try, at once
      return;
    }
    const [plan, change] = [this.#wanted, this.#wantedChange];
    this.#backoff.reset();
    this.#isSaidGone = false;
    if (plan.revision === CLOSED_REVISION) this.#events.closed();
    else this.#events.inForce(change, plan.revision);
  }

  async #planLatest(): Promise<void> {
    const latest = this.#latest;
    if (latest === undefined) return;
    const plan = await inSlices(this.#planner.plan(latest.table));
    this.#wanted = {
      ...plan,
      nodeIPs: [...new Set([...this.#nodeIPs, ...plan.nodeIPs])],
      injectors: injectorElements(this.#settings, plan.injectors),
    };
    this.#wantedChange = latest.change;
    if (this.#latest === latest) this.#latest = undefined;
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retryTimer = setTimeout(() => {
      this.#wake();
      void this.tried();
    }, this.#backoff.next());
  }

  /** Ends the wait for the next try. */
  #wake(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  async #failed(error: unknown): Promise<void> {
    const problem = messageOf(error);
    const rules = (await areRulesThere()) ? 'stay' : 'gone';
    this.#isSaidGone = rules === 'gone';
    if (error instanceof SluiceError && error.code === 'GATE_UNAVAILABLE')
      this.#events.unavailable(rules, problem);
    else this.#events.failed(rules, problem);
  }
}
