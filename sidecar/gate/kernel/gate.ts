/**
 * The gate: nftables rules in the pod's own network namespace, made from the same table that the proxy asks. It drops
 * denied SYNs before any handshake, and denied UDP and SCTP, which no proxy sees. Each table is one transaction; what
 * fails leaves the last good rules, is tried again and shown. After a crash the kernel keeps enforcing.
 */

import { Backoff, type BackoffBounds } from '../../../common/backoff.ts';
import { messageOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { LatestWins } from '../../../common/latest_wins.ts';
import type { Table } from '../../../policy/index.ts';
import { virtualKey } from '../../../policy/index.ts';
import { changeElements, findChain, listNft, runNft } from '../../kernel/index.ts';
import {
  CLOSED_REVISION,
  closedPlan,
  type GatePlan,
  GatePlanner,
  gateChanges,
  NO_SERVICES,
  overBounds,
  socketElement,
} from '../plan/index.ts';
import { GATE_TABLE, GATE_TABLE_NAME } from './names.ts';
import { netlinkElements } from './netlink_elements.ts';
import { nftText } from './nft_text.ts';
import { SOCKET_MATCH_PROBE } from './own_ports.ts';
import { REMOVED_RULESET, wholeRuleset } from './ruleset.ts';
import { serviceSlices } from './service_elements.ts';
import { addedCounts, LOADING_CHAIN, missingCounts, preparedCounts } from './service_rules.ts';
import type { GateSettings } from './settings.ts';

/** A refused transaction is tried again after this long. No jitter: nobody else waits for this kernel. */
const RETRY: BackoffBounds = { firstMs: 200, lastMs: 10_000, jitter: false };

/** The base chains, and the chain that the last rule of each jumps to. */
const HOOKS = { syns: 'in_subject', ingress: 'in_subject', egress: 'out_subject' } as const;

/**
 * Puts the gate in place closed, unless one is there already: then the kernel is enforcing the last table.
 * @returns which of the two
 */
export async function closeGate(
  settings: GateSettings,
  nodeIPs: readonly string[],
): Promise<'closed' | 'kept'> {
  if (await isGateInForce()) return 'kept';
  await putWhole(closedPlan(nodeIPs, injectorElements(settings)), settings);
  return 'closed';
}

/** The Service's address, and what the table knows; nothing where tables do not come over the network. */
function injectorElements({ injector }: GateSettings, more: readonly string[] = []): readonly string[] {
  return injector === undefined ? [] : [...new Set([socketElement(injector), ...more])];
}

/** What follows where the kernel cannot look at the socket that a packet meets. */
const NO_SOCKET_MATCH =
  'this kernel has no nft socket match (CONFIG_NFT_SOCKET): while the sidecar is down, an app that takes the admin port is reached by everybody';

/**
 * Without CONFIG_NFT_SOCKET what is left is put in.
 * @returns what the kernel lacks, for people
 */
async function putWhole(plan: GatePlan, settings: GateSettings): Promise<readonly string[]> {
  try {
    await runNft(wholeRuleset(plan, settings));
    return [];
  } catch (error) {
    const matchesSockets = await runNft(SOCKET_MATCH_PROBE).then(
      () => true,
      () => false,
    );
    if (matchesSockets) throw error; // something else is wrong
    await runNft(wholeRuleset(plan, settings, false));
    return [NO_SOCKET_MATCH];
  }
}

/** Takes the gate out. */
export async function removeGate(): Promise<void> {
  await runNft(REMOVED_RULESET);
}

/** Whether the gate's hooks are in the kernel, with the rule at the end of each that asks the table. */
export async function isGateInForce(): Promise<boolean> {
  for (const [hook, subject] of Object.entries(HOOKS)) {
    const listed = (await listNft(`chain ${GATE_TABLE} ${hook}`)) ?? '';
    if (!listed.includes(' hook ') || !listed.includes(`jump ${subject}`)) return false;
  }
  return true;
}

/** The same, asked without nft, which may be what fails. Where the kernel does not answer they count as there. */
async function areRulesThere(): Promise<boolean> {
  try {
    for (const [hook, subject] of Object.entries(HOOKS)) {
      const asked = await findChain(GATE_TABLE_NAME, hook);
      const asks = asked?.hooked === true && asked.rules.some((rule) => rule.leadsTo(subject));
      if (!asks || (await findChain(GATE_TABLE_NAME, subject))?.rules.length === 0) return false;
    }
    return true;
  } catch {
    return true;
  }
}

/** What a failed transaction leaves in the kernel. */
type Left = 'stay' | 'gone';

/** What the gate reports; `in_force.ts` makes a state of it. */
export interface GateEvents {
  /** The kernel enforces this table. @param change what `enforce` was called with */
  inForce(change: number, revision: number): void;
  /** The kernel has closed rules: there is no table yet. */
  closed(): void;
  /** The rules could not be put in, or are gone; it is tried again. */
  failed(rules: Left, problem: string): void;
  /** There is no nft. It is tried again. */
  unavailable(rules: Left, problem: string): void;
  /** The whole table is about to be replaced: what it has counted is lost unless it is read now. */
  beforeReplace(): Promise<void>;
  /** It has been: its counters begin at zero. */
  replaced(): void;
}

/** The gate of a running sidecar: one loop that brings the kernel to the latest table, however often it takes. */
export class Gate {
  readonly #settings: GateSettings;
  /** Exempt beside the table's own: gateways that the redirect step found. */
  readonly #nodeIPs: readonly string[];
  readonly #events: GateEvents;
  readonly #planner: GatePlanner;
  #wanted: GatePlan;
  /** The number of the table that `#wanted` is made of; 0 before the first. */
  #wantedChange = 0;
  /** What the kernel has; `undefined`: not known, so the next transaction replaces everything. */
  #inForce: GatePlan | undefined;
  /** Numbers of backends that the kernel has chains for. */
  #counts: ReadonlySet<number> = new Set();
  #limits: readonly string[] = [];
  readonly #tries = new LatestWins<void>(() => this.#bringAbout());
  readonly #backoff = new Backoff(RETRY);
  /** Set while the next try has to wait. */
  #retryTimer: NodeJS.Timeout | undefined;
  /** The last that was said of the rules is that they are gone. */
  #isSaidGone = false;
  #closed = false;

  constructor(settings: GateSettings, nodeIPs: readonly string[], events: GateEvents) {
    this.#settings = settings;
    const { injector } = settings;
    this.#planner = new GatePlanner(injector && virtualKey(injector.address, 'TCP', injector.port));
    this.#nodeIPs = nodeIPs;
    this.#events = events;
    this.#wanted = closedPlan(nodeIPs, injectorElements(settings));
  }

  /** Virtual ports of the latest table that policy allows some ready backends of and not others. */
  get mixedServices(): readonly string[] {
    return this.#wanted.egress.services.mixed;
  }

  /** What the kernel lacks for the gate and what follows from it, for people; empty where it has all. */
  get limits(): readonly string[] {
    return this.#limits;
  }

  /** What of the latest table is beyond the gate's bounds, for people; it admits less than policy says. */
  get overBounds(): readonly string[] {
    return overBounds(this.#wanted);
  }

  /**
   * Has the kernel enforce `table`; of several in a row only the last. Resolves at the end of the first try; events say how it
   * went. Never rejects.
   * @param change tells tables apart: two may have the same revision
   */
  async enforce(table: Table, change: number): Promise<void> {
    const plan = this.#planner.plan(table);
    this.#wanted = {
      ...plan,
      nodeIPs: [...new Set([...this.#nodeIPs, ...plan.nodeIPs])],
      injectors: injectorElements(this.#settings, plan.injectors),
    };
    this.#wantedChange = change;
    this.#wake();
    await this.tried();
  }

  /** Puts the rules in again, whole, if they are not in the kernel; closed ones before the first table. */
  async ensure(): Promise<void> {
    if (this.#tries.isBusy || (await areRulesThere()) || this.#tries.isBusy) return;
    if (this.#isSaidGone) return; // and is tried again
    this.#inForce = undefined;
    this.#isSaidGone = true;
    this.#events.failed('gone', 'somebody took its rules out');
    await this.tried();
  }

  /** Stops trying; the rules stay. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Resolves when there is nothing to do, or the next try has to wait. */
  async tried(): Promise<void> {
    if (this.#isDue) await this.#tries.do();
  }

  get #isDue(): boolean {
    return this.#wanted !== this.#inForce && this.#retryTimer === undefined && !this.#closed;
  }

  async #bringAbout(): Promise<void> {
    while (this.#isDue) {
      const plan = this.#wanted;
      const change = this.#wantedChange;
      try {
        await this.#transact(plan);
      } catch (error) {
        await this.#failed(error);
        this.#retryLater();
        return;
      }
      this.#backoff.reset();
      this.#isSaidGone = false;
      if (plan.revision === CLOSED_REVISION) this.#events.closed();
      else this.#events.inForce(change, plan.revision);
    }
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

  async #transact(plan: GatePlan): Promise<void> {
    const before = this.#inForce;
    this.#inForce = undefined; // until it is known to have worked
    if (before === undefined || !(await this.#change(before, plan))) await this.#replace(plan);
    this.#inForce = plan;
  }

  /** @returns false when the kernel does not have what was thought: then everything is replaced */
  #change(before: GatePlan, plan: GatePlan): Promise<boolean> {
    return this.#changed(before, plan).then(
      () => true,
      () => false,
    );
  }

  /**
   * In several transactions, each of which is right: between them a connection may be denied that the new plan admits, or
   * go to a backend that only the old plan admits, and be denied there. None passes that both deny: what goes to a
   * Service is judged after the translation.
   */
  async #changed(before: GatePlan, plan: GatePlan): Promise<void> {
    const [from, to] = [before.egress.services, plan.egress.services];
    const missing = missingCounts(this.#counts, to);
    if (missing.length > 0) {
      await runNft(`${addedCounts(missing).join('\n')}\n`);
      this.#counts = new Set([...this.#counts, ...missing]);
    }
    const changes = gateChanges(before, plan);
    const elements = netlinkElements(changes);
    if (elements !== undefined)
      await changeElements(GATE_TABLE_NAME, elements.changes, { gone: elements.goneChains });
    for (const slice of serviceSlices(from, to)) await changeElements(GATE_TABLE_NAME, slice);
    if (elements === undefined) await runNft(nftText(changes));
  }

  async #replace(plan: GatePlan): Promise<void> {
    const { services } = plan.egress;
    await this.#events.beforeReplace();
    this.#limits = await putWhole(plan, this.#settings);
    this.#events.replaced();
    this.#counts = preparedCounts(services);
    for (const slice of serviceSlices(NO_SERVICES, services)) await changeElements(GATE_TABLE_NAME, slice);
    if (services.ports.size > 0) await changeElements(GATE_TABLE_NAME, [], { emptied: [LOADING_CHAIN] });
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
