/**
 * The guard of a running sidecar: puts it in again where it was taken out, follows what changes around the pod, and counts.
 * It judges addresses and no policy: a pod that nothing isolates has it as well.
 */
import net from 'node:net';
import { runNft } from '../gate/nft.ts';
import { bind } from './bind.ts';
import { GuardCounts, type GuardDrops } from './counts.ts';
import { disputeOf } from './dispute.ts';
import { type GuardProblems, installGuard, planGuard, putNodes, withNodes } from './install.ts';
import { missingParts } from './kept_plan.ts';
import {
  type Binding,
  GUARD_PARTS,
  type GuardPart,
  type GuardPlan,
  type Hop,
  type NodeAddress,
  type OwnAddresses,
} from './plan.ts';
import { changedOwn } from './ruleset.ts';
import { interfaces, ownAddresses } from './surroundings.ts';

/** How often counters and the pod's own addresses are read, ms. No process is started for it. */
const POLL_MS = 2_000;

/** How often neighbours are looked at where nothing is wrong, ms. */
const NEIGHBOURS_MS = 10_000;

/** Readings with frames from elsewhere, and none from the address that is bound, after which the binding is given up. */
const UNCONFIRMED_MAX = 5;

/** A port of the node that answers, or refuses: either comes from the node. The kubelet's. */
const NODE_PORT = 10_250;
const NODE_TIMEOUT_MS = 1_000;

/** What the guard tells. */
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

/** Holds the guard in force, and follows it until `close`. */
export class Guard {
  readonly #events: GuardEvents;
  readonly #counts = new GuardCounts();
  #plan: GuardPlan;
  #problems: GuardProblems = {};
  #own: OwnAddresses = { addresses: [], links: [] };
  #tableNodes: readonly string[] | undefined;
  readonly #settings: readonly string[];
  #neighboursAtMs = Number.NEGATIVE_INFINITY;
  /** Readings without a packet from the bound address, by next hop. */
  readonly #unconfirmed = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(settings: readonly string[], plan: GuardPlan, events: GuardEvents) {
    this.#settings = settings;
    this.#plan = plan;
    this.#events = events;
  }

  /**
   * Takes over what the redirect step left, or puts it in where there is none.
   * @param nodeIPs as set
   */
  static async open(nodeIPs: readonly string[], events: GuardEvents): Promise<Guard> {
    const guard = new Guard(nodeIPs, await planGuard(nodeIPs), events);
    await guard.#install(GUARD_PARTS);
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
    this.#enqueue(async () => {
      const next = await withNodes(this.#plan, [...new Set([...this.#settings, ...tableNodes])]);
      await this.#put(await bind(next.nodes, await interfaces(), 0));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#work;
  }

  /** Looks now, and again and again. */
  follow(): void {
    if (this.#closed) return;
    this.#enqueue(() => this.#look());
    this.#timer = setTimeout(() => this.follow(), POLL_MS);
  }

  /** One thing at a time. Never rejects. */
  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#closed || this.#problems.packets !== undefined) return;
      await work().catch((error: Error) => this.#events.failed(error.message));
    });
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
    await this.#followOwn();
    const misfits = reading.drops.some(({ reason }) => reason === 'forged-node');
    if (misfits) await this.#giveUpUnconfirmed(reading.proper);
    const due = performance.now() - this.#neighboursAtMs >= NEIGHBOURS_MS;
    if (due || misfits || this.count('unresolved') > 0) await this.#lookAtNeighbours(misfits);
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

  async #lookAtNeighbours(doubted: boolean): Promise<void> {
    this.#neighboursAtMs = performance.now();
    await this.#putBack();
    let nodes = await bind(this.#plan.nodes, await interfaces(), 0);
    for (const { hop, link } of boundHops(nodes)) {
      const dispute = await disputeOf(hop, link, doubted);
      if (dispute.kind === 'contested') this.#events.contested(hop, dispute.claimed);
      if (dispute.kind !== 'moved') continue;
      const binding = { kind: 'link', link: dispute.link } as const;
      nodes = nodes.map((node) => (isThrough(node, hop, link) ? { ...node, binding } : node));
    }
    await this.#put(nodes);
  }

  /**
   * A network may send the node's packets from another link-layer address than the one that its next hop resolves to. There
   * nothing ever comes from the address that is bound, not even an answer to what the sidecar asks the node.
   */
  async #giveUpUnconfirmed(proper: ReadonlyMap<string, number>): Promise<void> {
    let nodes = this.#plan.nodes;
    for (const { hop, link } of boundHops(nodes)) {
      const through = nodes.filter((node) => isThrough(node, hop, link));
      const key = `${hop.address} ${hop.device}`;
      if (through.some(({ address }) => (proper.get(address) ?? 0) > 0)) {
        this.#unconfirmed.set(key, Number.NEGATIVE_INFINITY); // for good
        continue;
      }
      const times = (this.#unconfirmed.get(key) ?? 0) + 1;
      this.#unconfirmed.set(key, times);
      for (const { address } of through) askNode(address);
      if (times <= UNCONFIRMED_MAX) continue;
      const binding = {
        kind: 'address-alone',
        why: `its frames do not come from ${link}, to which ${hop.address} resolves`,
      } as const;
      nodes = nodes.map((node) => (isThrough(node, hop, link) ? { ...node, binding } : node));
    }
    await this.#put(nodes);
  }

  async #put(nodes: readonly NodeAddress[]): Promise<void> {
    const before = new Map(this.#plan.nodes.map((node) => [node.address, bindingText(node.binding)]));
    this.#plan = await putNodes(this.#plan, nodes);
    for (const node of nodes)
      if (before.get(node.address) !== bindingText(node.binding)) this.#events.rebound(node);
  }
}

function without(problems: GuardProblems, parts: readonly GuardPart[]): GuardProblems {
  const left = Object.entries(problems).filter(([part]) => !parts.some((one) => one === part));
  return Object.fromEntries(left);
}

/** Next hops and the link-layer addresses bound to them, each once. */
function boundHops(nodes: readonly NodeAddress[]): readonly { readonly hop: Hop; readonly link: string }[] {
  const found = new Map<string, { hop: Hop; link: string }>();
  for (const { hop, binding } of nodes) {
    if (hop === undefined || binding.kind !== 'link') continue;
    found.set(`${hop.address} ${hop.device} ${binding.link}`, { hop, link: binding.link });
  }
  return [...found.values()];
}

function isThrough(node: NodeAddress, hop: Hop, link: string): boolean {
  return (
    node.hop?.address === hop.address &&
    node.hop.device === hop.device &&
    node.binding.kind === 'link' &&
    node.binding.link === link
  );
}

/** How an address of the node is known, for people. */
export function bindingText(binding: Binding): string {
  switch (binding.kind) {
    case 'link':
      return binding.link;
    case 'address-alone':
      return `its address alone: ${binding.why}`;
    case 'unresolved':
      return 'nothing yet: what has it does not come in until its next hop answers';
    default:
      return binding satisfies never;
  }
}

/** Has the node send a packet: whether it accepts or refuses does not matter. */
function askNode(address: string): void {
  if (address.startsWith('fe80:')) return; // not without its interface; others stand for it
  const socket = net.connect({ host: address, port: NODE_PORT, timeout: NODE_TIMEOUT_MS });
  for (const event of ['connect', 'error', 'timeout'] as const) socket.once(event, () => socket.destroy());
}
