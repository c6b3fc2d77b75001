/**
 * Follows the cluster: gathers what changes in it, has it taken in, and says whose tables may be others for it.
 *
 * Revisions: `revision` counts what may change a table: changes of the cluster, and answers to what a sidecar has asked. A table
 * carries the revision of the change that last altered it, so a table that a change does not touch keeps its revision and nothing is sent.
 * Counting starts at the wall clock in milliseconds: nothing is stored, and a restarted injector still goes on above what any sidecar has
 * (an earlier run would have needed a thousand changes a second to be ahead).
 */
import type { Logger } from 'pino';
import {
  type ClusterChange,
  type ClusterUpdate,
  type Compiler,
  type CompilerOptions,
  createCompiler,
} from '../../policy/index.ts';
import type { ManifestProblem } from '../../sources/index.ts';
import { type CommittedChanges, NO_ORIGINS, type Origins, PendingChanges } from '../changes/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import { ExcessLog, excessProblems } from './excess_log.ts';
import type { TableSession } from './session/index.ts';

/**
 * Changes that come within this of the last are gathered, ms: a pod that starts is several of them, and under load each
 * table is then sent one delta for many. After a quiet time they are sent at once, those of one event together.
 */
const GATHER_MS = 20;

/**
 * Policies are put in force for this long at a stretch, ms; those of other namespaces have their turn next. With the frames that are
 * made after it, it is a turn of the event loop.
 */
const ENFORCE_MS = 5;

/** Objects that the log names of those that have changed; the others are counted. */
const MAX_NAMED = 5;

/** Sessions by the `namespace/name` of their pods. */
export type SessionsByPod = ReadonlyMap<string, TableSession>;

/** Who hears of the cluster. */
export interface ClusterEvents {
  /** A change is in the cluster. What follows from it comes with `changed`. */
  changing(change: ClusterChange): void;
  /** Whose tables an update concerns. */
  concerned(update: ClusterUpdate): SessionsByPod;
  /** Objects that have changed, and are in force from a revision on. Comes before `changed`, so before any table of that revision. */
  objectsChanged(committed: CommittedChanges): void;
  /** What has changed is in force, under `revision`. */
  changed(update: ClusterUpdate, concerned: SessionsByPod): void;
  /** Something else is to be said of policies, as they are beyond a bound or are no longer: their keys. */
  excessChanged(policyKeys: readonly string[]): void;
  /** All tables are to be made again. */
  restarted(): void;
  /** Tables can no longer be made. */
  failed(fault: unknown): void;
}

/** What a follower needs. */
export interface FollowerParts {
  readonly source: ClusterSource;
  readonly metrics: InjectorMetrics;
  readonly log: Logger;
  readonly options: CompilerOptions;
  readonly events: ClusterEvents;
}

/** Follows one source, from its making until `close`. */
export class ClusterFollower implements SourceListener {
  readonly #parts: FollowerParts;
  readonly #unsubscribe: () => void;
  readonly #policyExcess: ExcessLog;
  readonly #serviceExcess: ExcessLog;
  readonly #pending = new PendingChanges();
  #compiler: Compiler;
  #revision = Date.now();
  /** Set while changes wait to be taken in. */
  #gathering: NodeJS.Timeout | undefined;
  /** Set while policies wait to be put in force. */
  #goingOn: NodeJS.Immediate | undefined;
  /** When changes were last taken in; on the clock of `performance.now`. */
  #takenInAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    const { source, log, options } = parts;
    this.#compiler = createCompiler(source.cluster, options);
    this.#policyExcess = new ExcessLog(log, 'NetworkPolicy');
    this.#serviceExcess = new ExcessLog(log, 'Service');
    this.#noteExcess();
    this.#unsubscribe = source.onChange(this);
  }

  /** Of the last change; grows across restarts. */
  get revision(): number {
    return this.#revision;
  }

  /** Of the cluster as it is. It may be another one after `restarted`. */
  get compiler(): Compiler {
    return this.#compiler;
  }

  /** What is wrong with manifests, and which policies and Services are beyond a bound. */
  get problems(): readonly ManifestProblem[] {
    const services = excessProblems('Service', this.#compiler.serviceExcess);
    return [...this.#parts.source.problems, ...this.policyProblems(), ...services];
  }

  /** Policies that are beyond a bound: all, or the one of a key. */
  policyProblems(key?: string): readonly ManifestProblem[] {
    return excessProblems('NetworkPolicy', this.#compiler.excess, key);
  }

  /** Counts a change that is none of the cluster. @returns its revision */
  countOne(): number {
    this.#revision += 1;
    return this.#revision;
  }

  close(): void {
    this.#unsubscribe();
    this.#forgetTurns();
  }

  /** See `SourceListener`. */
  clusterChanged(changes: readonly ClusterChange[], origins: Origins = NO_ORIGINS): void {
    if (changes.length === 0) return;
    const { source, events } = this.#parts;
    const now = new Date();
    try {
      for (const change of changes) {
        this.#pending.add(change, origins.get(change), now);
        this.#compiler.apply(change, source.changeOrder);
        events.changing(change);
      }
    } catch (err) {
      return this.#startOver(err);
    }
    const waitMs = this.#takenInAtMs + GATHER_MS - performance.now();
    this.#gathering ??= setTimeout(() => this.catchUp(), Math.max(0, waitMs));
  }

  /** Takes in all changes that have come, but for policies that there is no time for. */
  catchUp(): void {
    if (this.#gathering !== undefined) this.#commit();
  }

  #commit(): void {
    const { metrics, log, events } = this.#parts;
    const goesOn = this.#gathering === undefined; // with what the last one left: nothing has come since
    this.#forgetTurns();
    const stop = metrics.updateSeconds.startTimer();
    const endMs = performance.now() + ENFORCE_MS;
    let update: ClusterUpdate;
    try {
      update = this.#compiler.commit(() => performance.now() < endMs);
    } catch (err) {
      return this.#startOver(err);
    }
    const concerned = events.concerned(update);
    // Policies that are not in force yet, because their groups' members are still being found, change no table.
    const isNothing = goesOn && concerned.size === 0;
    if (!isNothing) this.#revision += 1;
    const committed = this.#commitObjects();
    events.changed(update, concerned);
    events.excessChanged(this.#noteExcess());
    if (this.#compiler.waiting.size > 0) this.#goingOn = setImmediate(() => this.#commit());
    const seconds = stop();
    this.#takenInAtMs = performance.now();
    log[isNothing ? 'debug' : 'info'](
      {
        revision: this.#revision,
        tables: concerned.size,
        ...namesOf(committed),
        duration_ms: Math.round(seconds * 1000),
      },
      isNothing ? 'the last change goes on' : 'cluster changed',
    );
  }

  /** What has changed is in force from now on, but for policies that wait. */
  #commitObjects(): CommittedChanges {
    const committed = this.#pending.commit(this.#revision, this.#compiler.waiting);
    if (committed.changes.length > 0) this.#parts.events.objectsChanged(committed);
    return committed;
  }

  #forgetTurns(): void {
    clearTimeout(this.#gathering);
    clearImmediate(this.#goingOn);
    this.#gathering = undefined;
    this.#goingOn = undefined;
  }

  /** @returns keys of the policies of which something else is to be said */
  #noteExcess(): readonly string[] {
    const policyKeys = this.#policyExcess.note(this.#compiler.excess);
    this.#serviceExcess.note(this.#compiler.serviceExcess);
    return policyKeys;
  }

  /**
   * A change could not be taken in, or only half of it: all tables are made again from the source. Where that fails too
   * the injector ends: one that does not know the cluster must not call tables current.
   */
  #startOver(err: unknown): void {
    const { source, log, options, events } = this.#parts;
    log.error({ err }, 'a change cannot be taken in: all tables are made again');
    this.#forgetTurns();
    try {
      this.#compiler = createCompiler(source.cluster, options);
    } catch (fault) {
      return events.failed(fault);
    }
    this.#revision += 1;
    this.#commitObjects();
    this.#noteExcess();
    events.restarted();
  }
}

/** Which objects have changed, for the log. */
function namesOf({ changes }: CommittedChanges): {
  readonly objects?: readonly string[];
  readonly more?: number;
} {
  if (changes.length === 0) return {};
  const objects = changes
    .slice(0, MAX_NAMED)
    .map(({ kind, namespace, name }) => `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`);
  return { objects, ...(changes.length > MAX_NAMED ? { more: changes.length - MAX_NAMED } : {}) };
}
