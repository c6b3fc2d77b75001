/**
 * The gate: nftables rules in the pod's own network namespace, made from the same table that the proxy asks. It drops
 * denied SYNs before any handshake, and denied UDP and SCTP, which no proxy sees. Each table is one transaction; what
 * fails leaves the last good rules, is tried again and shown. After a crash the kernel keeps enforcing.
 */
import type { Table } from '../../policy/index.ts';
import { SluiceError } from '../../policy/index.ts';
import { runNft } from './nft.ts';
import { CLOSED_REVISION, closedPlan, type GatePlan, gatePlan } from './plan.ts';
import { changedRuleset, GATE_TABLE, type GateSettings, REMOVED_RULESET, wholeRuleset } from './ruleset.ts';

/** A refused transaction is tried again after this, doubling up to the last. */
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 10_000;

/** How the gate is. */
export type GateState =
  /** The kernel enforces the table of this revision. */
  | { readonly state: 'in-force'; readonly revision: number }
  /** Not asked to enforce anything yet: whatever the redirect step installed, closed. */
  | { readonly state: 'closed' }
  /** The last transaction failed; the rules of `revision` stay. */
  | { readonly state: 'failed'; readonly revision: number; readonly problem: string }
  /** No nft in the kernel or the image: TCP is refused after accept, UDP and SCTP are not enforced. */
  | { readonly state: 'unavailable'; readonly problem: string };

/** Puts the gate in place closed, unless one is there already: then the kernel is enforcing the last table. */
export async function closeGate(settings: GateSettings, nodeIPs: readonly string[]): Promise<void> {
  if (await isGateInForce()) return;
  await runNft(wholeRuleset(closedPlan(nodeIPs), settings));
}

/** Takes the gate out. */
export async function removeGate(): Promise<void> {
  await runNft(REMOVED_RULESET);
}

/** Whether the gate's hook is in the kernel. */
export async function isGateInForce(): Promise<boolean> {
  return runNft(`list chain ${GATE_TABLE} ingress\n`).then(
    (text) => text.includes('hook prerouting'),
    (error: unknown) => {
      if (error instanceof SluiceError && error.code === 'GATE_REFUSED') return false; // no such table or chain
      throw error;
    },
  );
}

/** The gate of a running sidecar. */
export class Gate {
  readonly #settings: GateSettings;
  /** Exempt beside the table's own: gateways that the redirect step found. */
  readonly #nodeIPs: readonly string[];
  readonly #changed: (state: GateState) => void;
  #state: GateState = { state: 'closed' };
  /** What the kernel has; `undefined`: unknown, so the next transaction replaces everything. */
  #inForce: GatePlan | undefined;
  #wanted: GatePlan;
  /** What the kernel enforces. */
  #revision = CLOSED_REVISION;
  #retryMs = FIRST_RETRY_MS;
  /** `#wanted` has not been tried yet. */
  #pending = false;
  #working: Promise<void> | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param changed called when the state changes its kind or problem */
  constructor(settings: GateSettings, nodeIPs: readonly string[], changed: (state: GateState) => void) {
    this.#settings = settings;
    this.#nodeIPs = nodeIPs;
    this.#changed = changed;
    this.#wanted = closedPlan(nodeIPs);
  }

  get state(): GateState {
    return this.#state;
  }

  /**
   * Has the kernel enforce `table`; of several waiting ones only the last. Resolves when it does, or when it cannot:
   * `state` tells. Never rejects.
   */
  async enforce(table: Table): Promise<void> {
    const plan = gatePlan(table);
    this.#wanted = { ...plan, nodeIPs: [...new Set([...this.#nodeIPs, ...plan.nodeIPs])] };
    this.#pending = true;
    await this.#settle();
  }

  /** Puts the rules in again, whole, if they are not in the kernel; closed ones before the first table. */
  async ensure(): Promise<void> {
    if (this.#state.state === 'unavailable') return;
    if (await isGateInForce().catch(() => false)) return;
    this.#inForce = undefined;
    this.#pending = true;
    await this.#settle();
  }

  /** Stops retrying; the rules stay. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
  }

  async #settle(): Promise<void> {
    // Work that is just ending may have missed this plan: look again.
    while (this.#pending && !this.#closed) {
      this.#working ??= this.#work().finally(() => {
        this.#working = undefined;
      });
      await this.#working;
    }
  }

  async #work(): Promise<void> {
    while (this.#pending && !this.#closed) {
      this.#pending = false;
      const plan = this.#wanted;
      try {
        await this.#transact(plan);
        const { revision } = plan;
        this.#revision = revision;
        this.#become(revision === CLOSED_REVISION ? { state: 'closed' } : { state: 'in-force', revision });
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  async #transact(plan: GatePlan): Promise<void> {
    const text =
      this.#inForce === undefined ? wholeRuleset(plan, this.#settings) : changedRuleset(this.#inForce, plan);
    try {
      if (text !== '') await runNft(text);
    } catch (error) {
      // The kernel may not have what was thought: once more, from the ground.
      if (this.#inForce === undefined) throw error;
      this.#inForce = undefined;
      await runNft(wholeRuleset(plan, this.#settings));
    }
    this.#inForce = plan;
  }

  #failed(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (error instanceof SluiceError && error.code === 'GATE_UNAVAILABLE') {
      this.#become({ state: 'unavailable', problem });
      return;
    }
    this.#become({ state: 'failed', revision: this.#revision, problem });
    this.#retryLater();
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      this.#inForce = undefined;
      this.#pending = true;
      void this.#settle();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  #become(state: GateState): void {
    const before = this.#state;
    this.#state = state;
    if (state.state === 'in-force') this.#retryMs = FIRST_RETRY_MS;
    const problem = (one: GateState) => ('problem' in one ? one.problem : undefined);
    if (before.state !== state.state || problem(before) !== problem(state)) this.#changed(state);
  }
}
