/**
 * The collector, as the injector's main thread has it. A worker thread owns all that is collected; this side passes on what
 * comes, within bounds, and questions. Fails static: without the worker flows are lost and tables go on; after a while there is another.
 */
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { unreachable } from '../../common/errors.ts';
import type { FlowQuestion, ObservedAnswer, ObservedFlow } from '../../flows/index.ts';
import type { CommittedChanges } from '../changes/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { ClusterSource } from '../source.ts';
import type { DropReason, FlowSink, SessionPod } from '../tables/index.ts';
import { ClusterFeed } from './cluster_feed.ts';
import { EdgeStream } from './edge_stream.ts';
import { LineQueue } from './line_queue.ts';
import type { CollectorStats, FlowSettings, FromWorker, ToWorker } from './messages.ts';

/** Of the worker, MiB: a ring of 100, twice the kinds of an answer, what waits to be written. */
export const WORKER_HEAP_MB = 384;

/** After the worker has failed, another is started, ms. */
const RESTART_MS = 5_000;

/** Questions that wait for their answer. */
const MAX_WAITING = 16;

/** Those who follow. */
const MAX_FOLLOWING = 64;

/** An answer that takes longer is given up, ms. */
const ANSWER_MS = 30_000;

/** What was dropped is told, ms. */
const TELL_MS = 1_000;

/** Lines that are not of the known form, and edges that were not sent, are logged this often, ms: others decide how many there are. */
const LOG_MS = 60_000;

const MS_PER_SECOND = 1_000;

/** What a collector needs. */
export interface CollectorParts {
  readonly source: ClusterSource;
  readonly settings: FlowSettings;
  readonly metrics: InjectorMetrics;
  readonly log: Logger;
  /** Default 5 s; tests shorten it. */
  readonly restartMs?: number;
}

interface Asked {
  readonly resolve: (json: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** Collects from its making until `close`. */
export class Collector implements FlowSink {
  readonly #parts: CollectorParts;
  readonly #queue = new LineQueue((message, transfer) => this.#post(message, transfer));
  readonly #asked = new Map<number, Asked>();
  readonly #following = new Map<number, { readonly question: FlowQuestion; readonly stream: EdgeStream }>();
  readonly #teller: NodeJS.Timeout;
  #worker: Worker;
  #feed: ClusterFeed;
  #restart: NodeJS.Timeout | undefined;
  #lastId = 0;
  /** Of the last change; another worker does not know of those up to it. */
  #revision: number | undefined;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #missedEdges = 0;
  #missedLoggedAtMs = Number.NEGATIVE_INFINITY;
  #closed: (() => void) | undefined;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    this.#worker = this.#startWorker();
    this.#feed = this.#startFeed();
    this.#teller = setInterval(() => this.#queue.tell(), TELL_MS).unref();
  }

  /** See `FlowSink`. */
  take(pod: SessionPod, line: Uint8Array): void {
    this.#queue.take(pod, line);
  }

  /** See `FlowSink`. */
  dropped(pod: SessionPod, flows: number, why: DropReason): void {
    this.#queue.dropped(pod, flows, why);
  }

  /** The revision of the first tables: all that changes after it is told to `note`. */
  begin(revision: number): void {
    this.#revision = revision;
    this.#post({ type: 'begin', revision });
  }

  /** What has changed and is in force with a revision: it may have ended flows. To be called before any sidecar is sent that revision. */
  note(committed: CommittedChanges): void {
    this.#revision = committed.revision;
    this.#post({ type: 'changes', committed });
  }

  /**
   * What this replica has observed. To read a large answer takes a long turn: who only passes it on takes `askJson`.
   * @throws Error as `askJson` does
   */
  async ask(question: FlowQuestion): Promise<ObservedAnswer> {
    return JSON.parse(Buffer.from(await this.askJson(question)).toString()); // the worker is of this process
  }

  /**
   * The same as JSON.
   * @throws Error while too many ask, or when the worker fails or takes too long
   */
  askJson(question: FlowQuestion): Promise<Uint8Array> {
    if (this.#restart !== undefined)
      return Promise.reject(new Error('the collector is being started: ask again'));
    if (this.#asked.size >= MAX_WAITING)
      return Promise.reject(new Error('too many questions at a time: ask again'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<Uint8Array>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      this.#asked.set(id, {
        resolve: (json) => {
          clearTimeout(late);
          resolve(json);
        },
        reject: (error) => {
          clearTimeout(late);
          reject(error);
        },
      });
      this.#post({ type: 'ask', id, question });
    }).finally(() => this.#asked.delete(id));
  }

  /**
   * Edges that fit a question as they come, those of a second together, until `signal`. Who reads slowly misses some.
   * @throws Error while too many follow
   */
  follow(question: FlowQuestion, signal: AbortSignal): AsyncIterable<readonly ObservedFlow[]> {
    if (this.#following.size >= MAX_FOLLOWING) throw new Error('too many follow: try later');
    this.#lastId += 1;
    const id = this.#lastId;
    const stream = new EdgeStream(() => {
      this.#following.delete(id);
      this.#post({ type: 'unfollow', id });
    });
    this.#following.set(id, { question, stream });
    this.#post({ type: 'follow', id, question });
    if (signal.aborted) stream.end();
    else signal.addEventListener('abort', () => stream.end(), { once: true });
    return stream;
  }

  /** Writes what waits, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#teller);
    clearTimeout(this.#restart);
    this.#feed.close();
    for (const { stream } of [...this.#following.values()]) stream.end();
    const isRunning = this.#restart === undefined;
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      if (!isRunning) return resolve();
      this.#queue.tell();
      this.#post({ type: 'close' });
    });
    await this.#worker.terminate();
    for (const { reject } of [...this.#asked.values()]) reject(new Error('the injector is stopping'));
  }

  #startWorker(): Worker {
    const worker = new Worker(workerFile(), {
      workerData: this.#parts.settings,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      execArgv: [],
    });
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (err) => this.#parts.log.error({ err }, 'the collector of flows has failed'));
    worker.on('exit', () => this.#ended());
    return worker;
  }

  #startFeed(): ClusterFeed {
    return new ClusterFeed(this.#parts.source, (message) => this.#post(message));
  }

  #post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#restart === undefined) this.#worker.postMessage(message, [...transfer]);
  }

  #ended(): void {
    if (this.#closed !== undefined) return this.#closed();
    this.#feed.close();
    this.#queue.away();
    for (const { reject } of [...this.#asked.values()])
      reject(new Error('the collector has failed: ask again'));
    const { restartMs = RESTART_MS } = this.#parts;
    this.#parts.log.error({ restart_ms: restartMs }, 'flows are lost until the collector is started again');
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      this.#queue.back();
      this.#worker = this.#startWorker();
      this.#feed = this.#startFeed();
      if (this.#revision !== undefined) this.#post({ type: 'begin', revision: this.#revision });
      for (const [id, { question }] of this.#following) this.#post({ type: 'follow', id, question });
    }, restartMs);
  }

  #receive(message: FromWorker): void {
    const { log } = this.#parts;
    switch (message.type) {
      case 'took':
        return this.#queue.took(message.bytes);
      case 'answer':
        return this.#asked.get(message.id)?.resolve(message.json);
      case 'failed':
        return this.#asked.get(message.id)?.reject(new Error(message.message));
      case 'edges':
        return this.#missed(
          message.missed + (this.#following.get(message.id)?.stream.push(message.edges) ?? 0),
        );
      case 'stats':
        return this.#note(message.stats);
      case 'store':
        if (message.problem === undefined) log.info('flows are stored again');
        else log.warn({ problem: message.problem }, 'flows cannot be stored: they are kept in memory');
        return;
      case 'bad-line':
        if (performance.now() - this.#loggedAtMs < LOG_MS) return;
        this.#loggedAtMs = performance.now();
        log.warn(
          { pod: message.pod },
          `what a sidecar says of its flows is not understood: ${message.message}`,
        );
        return;
      case 'closed':
        return this.#closed?.();
      default:
        return unreachable(message);
    }
  }

  /** Who follows reads edges and nothing else, and is not told. */
  #missed(edges: number): void {
    if (edges === 0) return;
    this.#parts.metrics.edgesMissed.inc(edges);
    this.#missedEdges += edges;
    if (performance.now() - this.#missedLoggedAtMs < LOG_MS) return;
    this.#missedLoggedAtMs = performance.now();
    this.#parts.log.warn(
      { edges: this.#missedEdges },
      'edges were not sent to one who follows flows: too many a second, or the reader is slow',
    );
    this.#missedEdges = 0;
  }

  #note({ lost, eventsLost, storeBytes, oldestMs, fails }: CollectorStats): void {
    const { metrics } = this.#parts;
    for (const [where, flows] of lost) metrics.flowsLost.inc({ where }, flows);
    if (eventsLost > 0) metrics.flowsLost.inc({ where: 'events' }, eventsLost);
    metrics.storeBytes.set(storeBytes);
    metrics.storeFails.set(fails ? 1 : 0);
    if (oldestMs !== undefined) metrics.storeOldest.set(oldestMs / MS_PER_SECOND);
  }
}

/** In a bundle the worker is a file beside the program. */
function workerFile(): URL {
  const isBundled = import.meta.filename.endsWith('.mjs');
  return new URL(isBundled ? './collector.mjs' : './worker/worker.ts', import.meta.url);
}
