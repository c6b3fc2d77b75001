/**
 * The guard of a running sidecar: puts it in again where it was taken out, follows what changes around the pod, and counts.
 * It judges addresses and no policy: a pod that nothing isolates has it as well.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { runNft } from '../kernel/index.ts';
import { bind } from './bind.ts';
import { Confirmations } from './confirmations.ts';
import { GuardCounts, type GuardDrops } from './counts.ts';
import { disputeOf } from './dispute.ts';
import { type BoundHop, boundHops, isThrough, nodeThrough } from './hops.ts';
import {
  type GuardProblems,
  type InstalledGuard,
  installGuard,
  planGuard,
  putNodes,
  withNodes,
} from './install.ts';
import { missingParts } from './kept_plan.ts';
import {
  type Binding,
  bindingText,
  GUARD_PARTS,
  type GuardPart,
  type GuardPlan,
  type Hop,
  type NodeAddress,
  type OwnAddresses,
} from './plan.ts';
import { changedOwn } from './ruleset.ts';
import { interfaces, ownAddresses } from './surroundings.ts';

/** How long after a look counters and the pod's own addresses are read again, ms. No process is started for it. */
const POLL_MS = 2_000;

/** How often neighbours are looked at where nothing is wrong, ms. */
const NEIGHBOURS_MS = 10_000;

/** What happens at the guard. */
export interface GuardEvents {
  dropped(drops: GuardDrops): void;
  /** An own-node address is known otherwise than before. */
  rebound(node: NodeAddress): void;
  /** Somebody else answers for the node's next hop, which still answers itself. */
  contested(hop: Hop, claimed: string): void;
  /** Something went wrong; it is tried again. */
  failed(problem: string): void;
}

/** What `/readyz` shows. */
export interface GuardStatus {
  readonly packets: string;
  readonly frames: string;
  readonly own_node: readonly { readonly address: string; readonly known_by: string }[];
}

/**
 * Holds the guard in force, and follows it until `close`. What changes the plan or the kernel's tables is done one thing at a
 * time, and is short. Whether a next hop has moved takes seconds where it does not answer: that is found out beside all else.
 */
export class Guard {
  readonly #events: GuardEvents;
  readonly #counts = new GuardCounts();
  #plan: GuardPlan;
  #problems: GuardProblems = {};
  #own: OwnAddresses = { addresses: [], links: [] };
  #tableNodes: readonly string[] | undefined;
  readonly #settings: readonly string[];
  #neighboursAtMs = Number.NEGATIVE_INFINITY;
  readonly #confirmations = new Confirmations();
  readonly #closing = new AbortController();
  #following: Promise<void> = Promise.resolve();
  /** Ends with the last thing that waits for its turn. */
  #work: Promise<void> = Promise.resolve();
  /** The disputes that are being settled; one round at a time. */
  #disputes: Promise<void> | undefined;

  private constructor(settings: readonly string[], plan: GuardPlan, events: GuardEvents) {
    this.#settings = settings;
    this.#plan = plan;
    this.#events = events;
  }

  /**
   * Puts the guard in force by what the redirect step found, in place of its table: counters begin at zero.
   * @param nodeIPs as set
   * @param installed this process has just put it in force itself
   */
  static async open(
    nodeIPs: readonly string[],
    events: GuardEvents,
    installed?: InstalledGuard,
  ): Promise<Guard> {
    const guard = new Guard(nodeIPs, installed?.plan ?? (await planGuard(nodeIPs)), events);
    if (installed === undefined) await guard.#install(GUARD_PARTS);
    else guard.#takeOver(installed);
    // All of it has just been looked at.
    guard.#neighboursAtMs = performance.now();
    return guard;
  }

  /** The pod's own node, gateways included. */
  get nodeIPs(): readonly string[] {
    return this.#plan.nodes.map(({ address }) => address);
  }

  /** How many addresses of the node are known in which way. */
  count(kind: Binding['kind']): number {
    return this.#plan.nodes.filter(({ binding }) => binding.kind === kind).length;
  }

  get status(): GuardStatus {
    return {
      packets: this.#problems.packets ?? 'looked at',
      frames: this.#problems.packets ?? this.#problems.frames ?? 'looked at',
      own_node: this.#plan.nodes.map(({ address, binding }) => ({ address, known_by: bindingText(binding) })),
    };
  }

  /** The table's addresses of the node are guarded as well. */
  expect(tableNodes: readonly string[]): void {
    if (this.#tableNodes?.join() === tableNodes.join()) return;
    this.#tableNodes = tableNodes;
    void this.#enqueue(() => this.#takeNodes());
  }

  /** Its tables stay in the kernel. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#following, this.#work, this.#disputes]);
  }

  /** Looks now, and again every 2 s until `close`. */
  follow(): void {
    this.#following = this.#follow();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#enqueue(() => this.#look());
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** One thing at a time. Never rejects. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(() => this.#attempt(work));
    return this.#work;
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted || this.#problems.packets !== undefined) return;
    await work().catch((error: Error) => {
      if (!signal.aborted) this.#events.failed(error.message);
    });
  }

  #takeOver({ problems, own }: InstalledGuard): void {
    this.#problems = problems;
    this.#own = own;
  }

  async #install(parts: readonly GuardPart[]): Promise<void> {
    if (parts.includes('frames')) this.#own = ownAddresses();
    const problems = await installGuard(this.#plan, parts);
    this.#problems = { ...without(this.#problems, parts), ...problems };
    for (const part of parts) this.#counts.reset(part);
  }

  /** Puts in again what was taken out, or could not be put in before. @returns whether anything was missing */
  async #putBack(): Promise<boolean> {
    const missing = await missingParts(this.#plan);
    if (missing.length > 0) await this.#install(missing);
    return missing.length > 0;
  }

  async #look(): Promise<void> {
    const reading = await this.#counts.read(this.#hasFrames).catch(async (error: unknown) => {
      if (!(await this.#putBack())) throw error;
    });
    if (reading === undefined) return;
    for (const drops of reading.drops) this.#events.dropped(drops);
    const doubted = reading.drops.some(({ reason }) => reason === 'forged-node');
    const due = performance.now() - this.#neighboursAtMs >= NEIGHBOURS_MS;
    if (due) {
      this.#neighboursAtMs = performance.now();
      await this.#putBack(); // first of all: what follows may fail each time
    }
    await this.#followOwn();
    await this.#takeNodes(); // where that has failed
    // While a hop is being asked, a reading says nothing about it.
    if (doubted && this.#disputes === undefined)
      await this.#put(this.#confirmations.followed(this.#plan.nodes, reading.proper));
    if (!due && !doubted && !this.#plan.nodes.some(isAwaited)) return;
    await this.#put(await bind(this.#plan.nodes, await interfaces(), 0));
    this.#disputes ??= this.#attempt(() => this.#settleDisputes(doubted)).finally(() => {
      this.#disputes = undefined;
    });
  }

  /** As the latest table has them. */
  async #takeNodes(): Promise<void> {
    if (this.#tableNodes === undefined) return;
    const { nodes } = await withNodes(this.#plan, [...new Set([...this.#settings, ...this.#tableNodes])]);
    if (textOfAddresses(nodes) === textOfAddresses(this.#plan.nodes)) return;
    await this.#put(await bind(nodes, await interfaces(), 0));
  }

  get #hasFrames(): boolean {
    return this.#problems.frames === undefined && this.#plan.links.length > 0;
  }

  async #followOwn(): Promise<void> {
    const own = ownAddresses();
    if (!this.#hasFrames || JSON.stringify(own) === JSON.stringify(this.#own)) return;
    await runNft(changedOwn(own));
    this.#own = own;
  }

  /** Takes seconds where a hop does not answer. */
  async #settleDisputes(doubted: boolean): Promise<void> {
    await Promise.all(boundHops(this.#plan.nodes).map((bound) => this.#settleDispute(bound, doubted)));
  }

  async #settleDispute(bound: BoundHop, doubted: boolean): Promise<void> {
    const { hop, link } = bound;
    const node = nodeThrough(this.#plan.nodes, bound);
    const dispute = await disputeOf(hop, link, node, doubted, this.#closing.signal);
    if (dispute.kind === 'contested') this.#events.contested(hop, dispute.claimed);
    if (dispute.kind !== 'moved') return;
    const binding = { kind: 'link', link: dispute.link } as const;
    await this.#enqueue(() =>
      this.#put(this.#plan.nodes.map((one) => (isThrough(one, bound) ? { ...one, binding } : one))),
    );
  }

  async #put(nodes: readonly NodeAddress[]): Promise<void> {
    const before = new Map(this.#plan.nodes.map((node) => [node.address, bindingText(node.binding)]));
    this.#plan = await putNodes(this.#plan, nodes);
    for (const node of nodes)
      if (before.get(node.address) !== bindingText(node.binding)) this.#events.rebound(node);
  }
}

/** Its next hop has not answered yet. An address without a route has none to ask: nothing changes for it by looking. */
function isAwaited({ hop, binding }: NodeAddress): boolean {
  return binding.kind === 'unresolved' && hop !== undefined;
}

function textOfAddresses(nodes: readonly NodeAddress[]): string {
  return nodes.map(({ address }) => address).join();
}

function without(problems: GuardProblems, parts: readonly GuardPart[]): GuardProblems {
  const left = Object.entries(problems).filter(([part]) => !parts.some((one) => one === part));
  return Object.fromEntries(left);
}
