/**
 * Adds up the flows of a window by what they have in common, as `flows/window.ts` describes it. All of it is bounded;
 * what has no place is counted. An update is an addition to an entry: no record, no object that stays.
 */
import {
  type FlowCount,
  type FlowWindow,
  fitsAsEvent,
  MAX_COUNTS,
  MAX_EVENTS,
  OTHER_PEERS,
  type Outcome,
} from '../../flows/index.ts';
import type { Direction, Protocol } from '../../policy/index.ts';
import { isPrivate, networkOf } from './peers.ts';

/** Of the `MAX_COUNTS` entries of a window, for denials: who is denied may come from many addresses, and shall not displace what is allowed. */
export const DENIED_KEYS_MAX = 256;

/** Of them, for peers that are put together as `other`: they have a place when all others are taken. */
export const OTHER_KEYS = 32;

/** Peers of a window that are no pods and have entries of their own; then networks; then `other`. */
export const EXACT_PEERS_MAX = 64;
export const NETWORKS_MAX = 64;

/** Flows to be counted: those of `FlowCount`, and whether a pod has the peer's address as far as the table says it. */
export interface CountedFlow {
  readonly direction: Direction;
  readonly outcome: Outcome;
  readonly protocol: Protocol;
  readonly peer: string;
  readonly isPod: boolean;
  readonly port: number;
  readonly reason: string;
  readonly policy?: string | undefined;
  readonly rule?: number | undefined;
  readonly service?: string | undefined;
  /** How many. 0 where only bytes are added, of flows that have been counted. */
  readonly flows: number;
  readonly packets: number;
  readonly sent: number;
  readonly received: number;
  readonly millis: number;
}

/** What flows have in common. */
type Common = Omit<CountedFlow, 'isPod' | 'flows' | 'packets' | 'sent' | 'received' | 'millis'>;

/** A sum. Not frozen: it is added to for each flow. */
interface Sum {
  readonly common: Common;
  flows: number;
  packets: number;
  sent: number;
  received: number;
  millis: number;
}

/** The sums of one window. */
export class FlowCounts {
  #from: number;
  #lost = 0;
  /** How many entries are of denials. */
  #denied = 0;
  readonly #sums = new Map<string, Sum>();
  /** Peers that are no pods and have entries of their own, and networks that have entries. */
  readonly #exact = new Set<string>();
  readonly #networks = new Set<string>();
  /** Pods that have entries and no private address; and those of the window that was taken last. */
  #pods = new Set<string>();
  #podsTaken: ReadonlySet<string> = new Set();
  #events: string[] = [];
  #eventsLost = 0;

  /** @param nowMs begin of the first window, ms since 1970 */
  constructor(nowMs: number) {
    this.#from = nowMs;
  }

  /** Counts flows. Cheap where others like them have been counted. */
  add(flow: CountedFlow): void {
    const sum = this.#sums.get(keyOf(flow, flow.peer)) ?? this.#place(flow);
    if (sum === undefined) {
      this.#lost += flow.flows;
      return;
    }
    sum.flows += flow.flows;
    sum.packets += flow.packets;
    sum.sent += flow.sent;
    sum.received += flow.received;
    sum.millis += flow.millis;
  }

  /** There were flows that are not known, or not who they were of. */
  lose(flows: number): void {
    this.#lost += flows;
  }

  /** A single flow that was denied, cut or audited. */
  event(record: object): void {
    // Text is made only of what has a place: many may be denied at once.
    if (this.#events.length < MAX_EVENTS) this.#keepEvent(JSON.stringify(record));
    else this.#eventsLost += 1;
  }

  #keepEvent(text: string): void {
    if (this.#events.length < MAX_EVENTS && fitsAsEvent(text)) this.#events.push(text);
    else this.#eventsLost += 1;
  }

  /** The window until now; the next one begins. `undefined` where nothing was counted. @param nowMs ms since 1970 */
  take(nowMs: number): FlowWindow | undefined {
    const from = Math.min(this.#from, nowMs); // the clock may have been set back
    this.#from = nowMs;
    const isEmpty = this.#sums.size === 0 && this.#lost === 0;
    if (isEmpty && this.#events.length === 0 && this.#eventsLost === 0) return undefined;
    const window = {
      from,
      to: nowMs,
      lost: this.#lost,
      counts: Array.from(this.#sums.values(), countOf),
      events: this.#events,
      eventsLost: this.#eventsLost,
    };
    this.#clear();
    return window;
  }

  /** The window that was taken last could not be sent: it goes with the next one, within the same bounds. Its events come first. */
  putBack(window: FlowWindow): void {
    const [later, laterLost] = [this.#events, this.#eventsLost];
    this.#events = [];
    this.#eventsLost = window.eventsLost + laterLost;
    for (const text of window.events) this.#keepEvent(text);
    for (const text of later) this.#keepEvent(text);
    for (const count of window.counts) this.add({ ...count, isPod: this.#podsTaken.has(count.peer) });
    this.#lost += window.lost;
    this.#from = Math.min(this.#from, window.from);
  }

  #clear(): void {
    this.#lost = 0;
    this.#denied = 0;
    this.#sums.clear();
    this.#exact.clear();
    this.#networks.clear();
    this.#podsTaken = this.#pods;
    this.#pods = new Set();
    this.#events = [];
    this.#eventsLost = 0;
  }

  /** Finds or makes the sum of a flow whose own peer has none; `undefined` where there is no place. */
  #place(flow: CountedFlow): Sum | undefined {
    const { peer } = flow;
    if (flow.isPod || isPrivate(peer)) {
      const sum = this.#make(flow, peer, MAX_COUNTS - OTHER_KEYS);
      if (sum !== undefined && flow.isPod) this.#pods.add(peer);
      return sum;
    }
    return (
      this.#placeExactly(flow) ?? this.#placeInNetwork(flow) ?? this.#find(flow, OTHER_PEERS, MAX_COUNTS)
    );
  }

  /** @param flow with a peer that is no pod; of a window that was put back it may be a network, or `OTHER_PEERS` */
  #placeExactly(flow: CountedFlow): Sum | undefined {
    const { peer } = flow;
    if (isNetwork(peer) || peer === OTHER_PEERS) return undefined;
    if (!this.#exact.has(peer) && this.#exact.size >= EXACT_PEERS_MAX) return undefined;
    const sum = this.#make(flow, peer, MAX_COUNTS - OTHER_KEYS);
    if (sum !== undefined) this.#exact.add(peer);
    return sum;
  }

  #placeInNetwork(flow: CountedFlow): Sum | undefined {
    const network = networkOf(flow.peer);
    if (!isNetwork(network)) return undefined;
    if (!this.#networks.has(network) && this.#networks.size >= NETWORKS_MAX) return undefined;
    const sum = this.#find(flow, network, MAX_COUNTS - OTHER_KEYS);
    if (sum !== undefined) this.#networks.add(network);
    return sum;
  }

  #find(flow: CountedFlow, peer: string, most: number): Sum | undefined {
    return this.#sums.get(keyOf(flow, peer)) ?? this.#make(flow, peer, most);
  }

  /** @param most entries that there may be */
  #make(flow: CountedFlow, peer: string, most: number): Sum | undefined {
    const isDenied = flow.outcome === 'deny';
    if (this.#sums.size >= most) return undefined;
    if (isDenied && this.#denied >= DENIED_KEYS_MAX && peer !== OTHER_PEERS) return undefined;
    if (isDenied) this.#denied += 1;
    const { direction, outcome, protocol, port, reason, policy, rule, service } = flow;
    const common = { direction, outcome, protocol, peer, port, reason, policy, rule, service };
    const sum = { common, flows: 0, packets: 0, sent: 0, received: 0, millis: 0 };
    this.#sums.set(keyOf(flow, peer), sum);
    return sum;
  }
}

/** No part has spaces. */
function keyOf(flow: Common, peer: string): string {
  const { direction, outcome, protocol, port, reason, policy, rule, service } = flow;
  return `${direction} ${outcome} ${protocol} ${peer} ${port} ${reason} ${policy} ${rule} ${service}`;
}

/** Whether the text is that of a network. */
function isNetwork(peer: string): boolean {
  return peer.includes('/');
}

function countOf({ common, flows, packets, sent, received, millis }: Sum): FlowCount {
  const { policy, rule, service, ...others } = common;
  return {
    ...others,
    flows,
    packets,
    sent,
    received,
    millis: Math.round(millis),
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
    ...(service === undefined ? {} : { service }),
  };
}
