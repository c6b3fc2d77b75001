/** All that the collector keeps: lines of sidecars come in, answers and edges go out. Times are ms since 1970. */

import {
  type FlowCount,
  type FlowQuestion,
  type FlowWindow,
  type ObservedAnswer,
  OTHER_PEERS,
} from '../../../flows/index.ts';

import {
  type ChangeOrder,
  type EndpointSlice,
  type Node,
  objectKey,
  type Pod,
  type Service,
} from '../../../policy/index.ts';
import { type CommittedChanges, ObjectChanges } from '../../changes/index.ts';
import type { Changed, CollectorStats, FlowSettings } from '../messages.ts';
import { ExternalPeers, type NamedEnd, Names } from '../naming/index.ts';
import { FlowStore, type FlowStoreParts } from '../store/index.ts';
import { addLostAt, type EdgeKind, type EdgeSums, edgeKey, edgeOf, type LostWhere } from '../sums/index.ts';
import { answerTo } from './answering.ts';
import { Explanations, readSaid } from './explanations.ts';
import { readFlowLine } from './flow_line.ts';
import { Followers, type SendEdges } from './followers.ts';
import { LiveRing, type RingLimits, STEP_MS } from './live_ring.ts';

/** Counts of one pod in one step: twice what a sidecar has places for, as a window may come with the one before. */
const MAX_POD_COUNTS = 1_024;

/** Single events of one pod in one step. */
const MAX_POD_EVENTS = 256;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MEBIBYTE = 1024 * 1024;

/** Who hears of a collection. */
export interface CollectionEvents {
  badLine(pod: string, message: string): void;
  storeChanged(problem: string | undefined): void;
}

/** Bounds; tests lower them. */
export interface CollectionLimits extends RingLimits {
  readonly store?: Pick<FlowStoreParts, 'unwritten' | 'retryMs'>;
  readonly maxPodCounts?: number;
}

/** One replica's observations. */
export class Collection {
  readonly names = new Names();
  readonly #events: CollectionEvents;
  readonly #maxPodCounts: number;
  readonly #external = new ExternalPeers();
  readonly #changes = new ObjectChanges();
  readonly #explanations = new Explanations();
  readonly #ring: LiveRing;
  readonly #store: FlowStore | undefined;
  readonly #followers = new Followers((edge) => this.#explanations.of(edge));
  /** What pods have sent in the present step. */
  readonly #sent = new Map<string, { counts: number; events: number }>();
  #stepMs = 0;
  #lost = new Map<LostWhere, number>();
  #eventsLost = 0;

  constructor(
    settings: FlowSettings,
    events: CollectionEvents,
    nowMs: number,
    limits: CollectionLimits = {},
  ) {
    this.#events = events;
    this.#maxPodCounts = limits.maxPodCounts ?? MAX_POD_COUNTS;
    this.#ring = new LiveRing(nowMs, limits);
    if (settings.dir === undefined) return;
    this.#store = new FlowStore({
      folder: settings.dir,
      keptMs: { minutes: settings.minutesHours * HOUR_MS, hours: settings.hoursDays * DAY_MS },
      maxBytes: settings.maxMegabytes * MEBIBYTE,
      saidOf: (key) => this.#explanations.of(edgeOf(key)),
      lost: (where, flows) => addLostAt(this.#lost, where, flows),
      changed: (problem) => events.storeChanged(problem),
      ...limits.store,
    });
  }

  putPods(changes: readonly Changed<Pod>[], order: ChangeOrder, sinceMs: number): void {
    for (const { key, object } of changes) this.names.putPod(key, object, order, sinceMs);
  }

  putNodes(changes: readonly Changed<Node>[]): void {
    for (const { key, object } of changes) this.names.putNode(key, object);
  }

  putServices(changes: readonly Changed<Service>[]): void {
    for (const { key, object } of changes) this.names.services.putService(key, object);
  }

  putSlices(changes: readonly Changed<EndpointSlice>[]): void {
    for (const { key, object } of changes) this.names.services.putSlice(key, object);
  }

  /** A line of the sidecar of a pod. @param sum flows in it, as it says itself */
  take(namespace: string, pod: string, line: Uint8Array, sum: number, nowMs: number): void {
    let window: FlowWindow;
    try {
      window = readFlowLine(line, namespace, nowMs);
    } catch (error) {
      this.#events.badLine(objectKey(namespace, pod), error instanceof Error ? error.message : String(error));
      return this.lose('form', sum, nowMs);
    }
    const own = this.names.pod(namespace, pod);
    const sent = this.#sentBy(objectKey(namespace, pod), nowMs);
    for (const event of window.events) this.#takeEvent(own, event, window, sent);
    for (const count of window.counts) this.#takeCount(own, count, window, sent);
    this.lose('sidecar', window.lost, window.to);
    this.#eventsLost += window.eventsLost;
  }

  /** Flows are lost. */
  lose(where: LostWhere, flows: number, atMs: number): void {
    if (flows === 0) return;
    addLostAt(this.#lost, where, flows);
    this.#ring.lose(atMs, where, flows);
    this.#store?.lose(atMs, where, flows);
  }

  /** Every second: writes what waits, forgets what is over, and sends edges to those who follow. */
  turn(nowMs: number): CollectorStats {
    this.#ring.turn(nowMs);
    this.#store?.flush(nowMs);
    this.#followers.turn(nowMs);
    const lost = [...this.#lost];
    const eventsLost = this.#eventsLost;
    this.#lost = new Map();
    this.#eventsLost = 0;
    const oldestMs = this.#store?.oldestMs;
    return {
      lost,
      eventsLost,
      storeBytes: this.#store?.bytes ?? 0,
      ...(oldestMs === undefined ? {} : { oldestMs }),
      fails: this.#store?.problem !== undefined,
    };
  }

  ask(question: FlowQuestion, nowMs: number): Promise<ObservedAnswer> {
    const [ring, store] = [this.#ring, this.#store];
    return answerTo(question, { ring, store, saidOf: (edge) => this.#explanations.of(edge) }, nowMs);
  }

  /** From now on `send` gets the edges that fit a question, every second. */
  follow(id: number, question: FlowQuestion, send: SendEdges): void {
    this.#followers.add(id, question, send);
  }

  unfollow(id: number): void {
    this.#followers.delete(id);
  }

  close(nowMs: number): void {
    this.#store?.close(nowMs);
  }

  #takeCount(own: NamedEnd, count: FlowCount, { from, to }: FlowWindow, sent: { counts: number }): void {
    sent.counts += 1;
    if (sent.counts > this.#maxPodCounts) return this.lose('kinds', count.flows, to);
    const { direction, outcome, protocol, reason, policy, rule, flows, packets } = count;
    // What a pod opens is counted by the address that it asked for, unless policy isolates its egress.
    const asked =
      direction === 'egress' ? this.names.service(count.peer, protocol, count.port, from, to) : undefined;
    const peer = asked ?? this.#peer(own, count.peer, from, to);
    const { service = asked?.service } = count;
    const { port } = asked ?? count;
    const [src, dst] = direction === 'ingress' ? [peer, own] : [own, peer];
    const edge: EdgeKind = {
      src: src.end,
      dst: dst.end,
      ...(service === undefined ? {} : { service }),
      ...{ protocol, port, outcome, direction, reason },
      ...(policy === undefined ? {} : { policy }),
      ...(rule === undefined ? {} : { rule }),
    };
    const sums: EdgeSums = {
      srcPod: src.pod,
      dstPod: dst.pod,
      first: from,
      last: to,
      ...{ flows, packets, sent: count.sent, received: count.received },
    };
    const key = edgeKey(edge);
    if (!this.#ring.add(to, key, sums)) return this.lose('kinds', flows, to);
    this.#store?.add(to, key, sums);
    this.#followers.heard(key, edge, sums, to);
  }

  /** See `ObjectChanges`. */
  beginChanges(revision: number): void {
    this.#changes.begin(revision);
  }

  /** See `ObjectChanges`. */
  noteChanges(committed: CommittedChanges): void {
    this.#changes.note(committed);
  }

  #takeEvent(own: NamedEnd, record: string, { from, to }: FlowWindow, sent: { events: number }): void {
    sent.events += 1;
    const podKey = objectKey(own.end.namespace ?? '', own.pod);
    const isKept =
      sent.events <= MAX_POD_EVENTS && this.#store?.addEvent({ atMs: to, pod: podKey, record }) !== false;
    if (!isKept) this.#eventsLost += 1;
    try {
      const { edge, peer, said } = readSaid(record, (cut) => this.#changes.causeOf(cut));
      const other = this.#peer(own, peer, from, to);
      const [src, dst] = edge.direction === 'ingress' ? [other, own] : [own, other];
      this.#explanations.keep({ ...edge, src: src.end, dst: dst.end }, said);
    } catch (error) {
      this.#events.badLine(podKey, error instanceof Error ? error.message : String(error));
    }
  }

  #peer(own: NamedEnd, peer: string, from: number, to: number): NamedEnd {
    const named = peer === OTHER_PEERS ? OTHERS : this.names.peer(peer, from, to);
    const { end } = named;
    if (end.address === undefined) return named;
    const address = this.#external.placeOf(`${own.end.namespace}/${own.end.workload}`, end.address, to);
    return address === end.address ? named : { end: { kind: 'external', address }, pod: '' };
  }

  #sentBy(podKey: string, nowMs: number): { counts: number; events: number } {
    const stepMs = nowMs - (nowMs % STEP_MS);
    if (stepMs !== this.#stepMs) this.#sent.clear();
    this.#stepMs = stepMs;
    const sent = this.#sent.get(podKey) ?? { counts: 0, events: 0 };
    this.#sent.set(podKey, sent);
    return sent;
  }
}

const OTHERS: NamedEnd = { end: { kind: 'external', address: OTHER_PEERS }, pod: '' };
