/**
 * Gives each sidecar its own pod's table and nothing else: a snapshot first, then what changes. It knows no socket:
 * a transport attaches links and passes frames on.
 *
 * Revisions: `revision` counts what may change a table: changes of the cluster, and answers to what a sidecar has asked. A table
 * carries the revision of the change that last altered it, so a table that a change does not touch keeps its revision and nothing is sent. Counting starts at the
 * wall clock in milliseconds: nothing is stored, and a restarted injector still goes on above what any sidecar has
 * (an earlier run would have needed a thousand changes a second to be ahead).
 */
import type { Logger } from 'pino';
import { SluiceError } from '../../common/errors.ts';
import type { RateLimits } from '../../common/token_bucket.ts';
import {
  asFarAsAsked,
  type ClusterChange,
  type ClusterUpdate,
  type Compiler,
  type CompilerOptions,
  createCompiler,
  MAX_MET,
  SCHEMA_1,
  TABLE_SCHEMA,
} from '../../policy/index.ts';
import type { ManifestProblem } from '../../sources/index.ts';
import { AddressRates } from '../doors/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import { Beats } from './beats.ts';
import type { Due, Sending } from './due.ts';
import { ExcessLog, excessProblems } from './excess_log.ts';
import { Heartbeats } from './frame_bytes.ts';
import { MetAddresses } from './met_addresses.ts';
import type { ViewHost } from './partial_view.ts';
import { PastOwners } from './past_owners.ts';
import { PolicyCounts, type SidecarState } from './policy_counts.ts';
import { type FrameMaker, SendQueue } from './send_queue.ts';
import type { ServerStatus, SidecarStatus } from './server_status.ts';
import type { Identified, SessionHost } from './session_host.ts';
import type { SessionLimits, SessionLink } from './session_link.ts';
import { findSubject, whyNoSubject } from './subject.ts';
import { TableSession } from './table_session.ts';
import type { TableWriter } from './table_writer.ts';
import { TableWriterV1 } from './table_writer_v1.ts';
import { TableWriterV2 } from './table_writer_v2.ts';

/** Time between heartbeats, ms. Sidecars of `WireVersion` 1 take five missed ones as the injector's absence. */
const HEARTBEAT_MS = 2_000;

/** Time between heartbeats to those of `WireVersion` 2, ms: two in the three seconds after which they look for another replica. */
export const PULSE_MS = 1_500;

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

/** Time in which a connection must say whose table it wants, ms. */
const HELLO_TIMEOUT_MS = 5_000;

const DEFAULT_LIMITS: SessionLimits = {
  maxQueuedBytes: 4 * 1024 * 1024, // several deltas of a large cluster; a snapshot of 10,000 pods is about as large
  maxStalledBeats: 5, // 10 s
  refusedRetryMs: 10_000,
  maxQuestions: 1_000, // 500 a second; one takes 10 us, or 100 us with a thousand groups
  maxMet: MAX_MET, // some 10 ms for a table or change of one who has met so many; more peers than all but a few pods have
  maxMeets: 8_192, // all that may be met and as many that are no members; one takes 1 us
  leastAgeMs: 20 * 60_000,
  mostAgeMs: 40 * 60_000,
};

/**
 * Addresses that a pod's sidecar may ask about for the first time: as many as a busy pod meets at once, and then as many as come
 * and go. Through all addresses of a large cluster that takes hours.
 */
const ACQUAINTANCES: RateLimits = { burst: 256, perSecond: 2 };

/** Whole tables that a pod's sidecar is sent because it refused what it had been sent: it decides how often it refuses. */
const WHOLE_AFTER_REFUSAL: RateLimits = { burst: 5, perSecond: 0.1 };

/** Settings; tests shorten them. */
export interface TableServerOptions extends Partial<SessionLimits>, CompilerOptions {
  /** By pod; default 256, then 2 a second. */
  readonly acquaintances?: RateLimits;
  /** Default `HEARTBEAT_MS`. */
  readonly heartbeatMs?: number;
  /** Default `PULSE_MS`. */
  readonly pulseMs?: number;
  /** Default 5 s. */
  readonly helloTimeoutMs?: number;
  /** Called when tables can no longer be made; all sessions are cut by then. Default: the process ends, and is started again. */
  readonly fatal?: (fault: unknown) => void;
}

/** Serves tables of one source. Fail static: what cannot be made or sent leaves sidecars what they have. */
export class TableServer implements SessionHost<TableSession>, SourceListener, FrameMaker {
  readonly limits: SessionLimits;
  readonly metrics: InjectorMetrics;
  readonly heartbeats = new Heartbeats();
  readonly #source: ClusterSource;
  readonly #log: Logger;
  readonly #helloTimeoutMs: number;
  readonly #fatal: (fault: unknown) => void;
  readonly #sessions = new Set<TableSession>();
  readonly #byPod = new Map<string, TableSession>();
  readonly #beats: Beats<TableSession>;
  readonly #pulses: Beats<TableSession>;
  readonly #unsubscribe: () => void;
  #revision = Date.now();
  readonly #compilerOptions: CompilerOptions;
  #compiler: Compiler;
  readonly #writerV2 = new TableWriterV2();
  readonly #writerV1 = new TableWriterV1(() => this.#compiler.directory);
  readonly #pastOwners = new PastOwners();
  readonly #acquaintances: AddressRates;
  readonly #afterRefusal = new AddressRates(WHOLE_AFTER_REFUSAL);
  readonly #queue = new SendQueue(this);
  readonly #met = new MetAddresses<TableSession>();
  #counts: PolicyCounts;
  /** Connected pods whose sidecars may be further, or less far, than `#counts` knows. */
  readonly #moved = new Set<string>();
  /** Connected pods that have changed themselves since changes were last sent: whether policy can select them may have, too. */
  readonly #changedPods = new Set<string>();
  readonly #excess: ExcessLog;
  readonly #serviceExcess: ExcessLog;
  /** Set while changes wait to be taken in. */
  #gathering: NodeJS.Timeout | undefined;
  /** Set while policies wait to be put in force. */
  #goingOn: NodeJS.Immediate | undefined;
  /** When changes were last sent; on the clock of `performance.now`. */
  #sentAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    source: ClusterSource,
    metrics: InjectorMetrics,
    log: Logger,
    options: TableServerOptions = {},
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...options };
    this.metrics = metrics;
    this.#source = source;
    this.#log = log;
    this.#helloTimeoutMs = options.helloTimeoutMs ?? HELLO_TIMEOUT_MS;
    this.#fatal = options.fatal ?? endProcess;
    this.#acquaintances = new AddressRates(options.acquaintances ?? ACQUAINTANCES);
    this.#compilerOptions = options;
    this.#compiler = createCompiler(source.cluster, options);
    this.#counts = new PolicyCounts(source.cluster);
    this.#excess = new ExcessLog(log, 'NetworkPolicy');
    this.#serviceExcess = new ExcessLog(log, 'Service');
    this.#excess.note(this.#compiler.excess);
    this.#serviceExcess.note(this.#compiler.serviceExcess);
    this.#unsubscribe = source.onChange(this);
    const { heartbeatMs = HEARTBEAT_MS, pulseMs = PULSE_MS } = options;
    this.#beats = new Beats(this.#sessions, heartbeatMs, (session) => session.beat());
    this.#pulses = new Beats(this.#sessions, pulseMs, (session) => session.pulse(pulseMs));
  }

  /** Counts what may change a table; grows across restarts. */
  get revision(): number {
    return this.#revision;
  }

  /** A transport has a new connection. It passes frames to the session and says when the connection has ended. */
  attach(link: SessionLink): TableSession {
    const session = new TableSession(this, link, this.#log);
    this.#sessions.add(session);
    setTimeout(() => {
      if (session.podKey === undefined) session.cut('no-hello');
    }, this.#helloTimeoutMs).unref();
    return session;
  }

  /**
   * See `SessionHost`. A pod has one sidecar: the newer connection wins, the older one is a leftover. But the sidecar of
   * a pod that is gone does not displace that of its successor of the same name.
   */
  admit(session: TableSession): void {
    const { podKey } = session;
    if (podKey === undefined) return;
    this.#flush(); // what it is sent has all changes so far, and only later ones follow it
    const older = this.#byPod.get(podKey);
    const subject = findSubject(this.#compiler.cluster, podKey, session.podUid);
    if (older?.revision !== undefined && !subject.found && subject.gone)
      return session.fail(subject.message, 'pod-gone');
    older?.cut(older.isLeaving ? 'moved' : 'replaced');
    this.#byPod.set(podKey, session);
    this.#follow(session, podKey);
  }

  /** See `SessionHost`. */
  moved({ podKey }: TableSession): void {
    if (podKey !== undefined && this.#byPod.has(podKey)) this.#moved.add(podKey);
  }

  /** See `SessionHost`. */
  resend(session: TableSession): void {
    this.moved(session);
    this.#queue.addTable(session, this.#queue.revision(session) ?? this.#revisionFor(session));
  }

  /** See `SessionHost`. */
  update(session: TableSession): void {
    const { podKey } = session;
    if (podKey === undefined || this.#byPod.get(podKey) !== session) return;
    this.#moved.add(podKey);
    this.#serve(session, podKey);
  }

  /** See `SessionHost`. */
  writer(schema: number): TableWriter | undefined {
    if (schema === TABLE_SCHEMA) return this.#writerV2;
    return schema === SCHEMA_1 ? this.#writerV1 : undefined;
  }

  /** See `SessionHost`. Nodes and host-network pods are no pod, as for policies. */
  identify(podKey: string, address: string): Identified | undefined {
    const found = this.#compiler.identify(address) ?? this.#pastOwners.find(address, performance.now());
    if (found === undefined) return undefined;
    const pod = asFarAsAsked(found.pod, this.#compiler.askedOfPeers(podKey));
    return this.#compiler.knows(podKey, address) ? { pod, tag: found.tag } : { pod };
  }

  /**
   * See `SessionHost`. Who is in a group of the pod's own table is no stranger. Others are counted by pod, and not by session: a
   * connection is soon made again.
   */
  mayMeet(podKey: string, address: string): boolean {
    return this.#compiler.knows(podKey, address) || this.#acquaintances.take(podKey, performance.now());
  }

  /** See `SessionHost`. By pod, as a connection is soon made again. */
  mayStartOver(podKey: string): boolean {
    return this.#afterRefusal.take(podKey, performance.now());
  }

  /** See `SessionHost`. */
  viewHost(session: TableSession, podKey: string): ViewHost {
    return {
      isLarge: (id) => this.#compiler.isLarge(id),
      isMember: (address) => this.#compiler.isInLarge(podKey, address),
      met: (address) => this.#met.add(address, session),
      forgot: (address) => this.#met.delete(address, session),
      needsWhole: (isNeeded) => this.#compiler.needsWholeGroups(podKey, isNeeded),
    };
  }

  /** See `SessionHost`. */
  isDue(session: TableSession): boolean {
    return this.#queue.revision(session) !== undefined;
  }

  /** See `SessionHost`. */
  leave(session: TableSession): void {
    this.#sessions.delete(session);
    this.#queue.delete(session);
    for (const address of session.met ?? []) this.#met.delete(address, session);
    const { podKey } = session;
    if (podKey === undefined || this.#byPod.get(podKey) !== session) return;
    this.#byPod.delete(podKey);
    this.#moved.delete(podKey);
    this.#counts.setSidecar(podKey, 'absent');
    this.#compiler.unfollow(podKey);
  }

  /** How many pods each policy selects and how many enforce it, with all changes so far. The object may be another each time. */
  counts(): PolicyCounts {
    this.#flush();
    for (const podKey of this.#moved) this.#counts.setSidecar(podKey, this.#stateOf(podKey));
    this.#moved.clear();
    this.#counts.hold(this.#compiler.waiting);
    return this.#counts;
  }

  /** After a flush: a table that may change waits in the queue then. */
  #stateOf(podKey: string): SidecarState {
    const session = this.#byPod.get(podKey);
    if (session === undefined) return 'absent';
    // However much changes, one that refuses, or has yet to say what it wants, may be sent nothing more for a while.
    const isCurrent =
      session.revision === session.enforced &&
      this.#queue.revision(session) === undefined &&
      !session.refuses &&
      !session.awaitsWant;
    return isCurrent ? 'enforcing' : 'behind';
  }

  /** What is served to whom. */
  status(): ServerStatus {
    this.#flush();
    const sidecars: SidecarStatus[] = [];
    for (const [key, pod] of [...this.#compiler.cluster.pods].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (whyNoSubject(pod) !== undefined) continue;
      const session = this.#byPod.get(key);
      sidecars.push({
        namespace: pod.namespace,
        pod: pod.name,
        connected: session !== undefined,
        revision: session === undefined ? 0 : this.#wantedRevision(session, key),
        enforced: session?.enforced ?? null,
        ...(session?.error === undefined ? {} : { error: session.error }),
        warnings: [this.forgottenDns(key) ?? []].flat(),
      });
    }
    const waiting = [...this.#byPod].flatMap(([pod, session]) =>
      session.revision === undefined ? [{ pod, message: session.error ?? 'no table yet' }] : [],
    );
    return { revision: this.#revision, problems: this.problems, sidecars, waiting };
  }

  /** What is wrong with manifests, and which policies and Services are beyond a bound. */
  get problems(): readonly ManifestProblem[] {
    const services = excessProblems('Service', this.#compiler.serviceExcess);
    return [...this.#source.problems, ...this.policyProblems(), ...services];
  }

  /** Sidecars that are connected; without those that have been asked to leave, until it shows that they cannot. */
  get carried(): number {
    let carried = 0;
    for (const session of this.#byPod.values()) if (!session.isLeaving) carried += 1;
    return carried;
  }

  /** Addresses that sidecars have met in large groups, those of each sidecar counted for itself. */
  get metAddresses(): number {
    return this.#met.size;
  }

  /**
   * Has sidecars move to another replica, those that came first before others. One that does not know how to stays.
   * @param whose all, or those who have been here for as long as a session lasts
   * @returns how many were asked: at most `atMost`
   */
  letGo(whose: 'all' | 'aged', atMost: number, message: string): number {
    let asked = 0;
    for (const session of this.#byPod.values()) {
      if (asked >= atMost) break;
      if ((whose === 'all' || session.isAged) && session.move(message)) asked += 1;
    }
    return asked;
  }

  /** Of the table that a session's pod has now, sent or not. */
  #wantedRevision(session: TableSession, podKey: string): number {
    // Policies that wait their turn will be another revision, which nobody has; and so may what came since an outline was sent, or since
    // the sidecar has refused so much that it is sent nothing for a while.
    const lacksSome = this.#compiler.isBehind(podKey) || session.awaitsWant || session.refuses;
    if (this.#queue.revision(session) === undefined && lacksSome) return this.#revision + 1;
    return this.#queue.revision(session) ?? session.revision ?? 0;
  }

  /** Policies that are beyond a bound: all, or the one of a key. */
  policyProblems(key?: string): readonly ManifestProblem[] {
    return excessProblems('NetworkPolicy', this.#compiler.excess, key);
  }

  /** Says where the egress of the pod with this `namespace/name` leaves out DNS. */
  forgottenDns(podKey: string): string | undefined {
    return this.#compiler.forgottenDns(podKey);
  }

  /** Cuts all sessions and stops. */
  close(): void {
    this.#unsubscribe();
    this.#beats.close();
    this.#pulses.close();
    clearTimeout(this.#gathering);
    clearImmediate(this.#goingOn);
    this.#queue.close();
    for (const session of [...this.#sessions]) session.cut('stopping');
  }

  /** See `SourceListener`. */
  clusterChanged(changes: readonly ClusterChange[]): void {
    if (changes.length === 0) return;
    try {
      for (const change of changes) {
        this.#compiler.apply(change, this.#source.changeOrder);
        this.#counts.apply(change);
        if (change.kind !== 'Pod' || !this.#byPod.has(change.key)) continue;
        this.#moved.add(change.key);
        this.#changedPods.add(change.key);
      }
    } catch (err) {
      return this.#startOver(err);
    }
    const waitMs = this.#sentAtMs + GATHER_MS - performance.now();
    this.#gathering ??= setTimeout(() => this.#flush(), Math.max(0, waitMs));
  }

  /** See `FrameMaker`: a table that is made has all changes so far, and only later ones follow it. */
  catchUp(): void {
    this.#flush();
  }

  /** Has what the changes so far led to sent, but for policies that there was no time for. */
  #flush(): void {
    if (this.#gathering !== undefined) this.#commit();
  }

  #commit(): void {
    const goesOn = this.#gathering === undefined; // with what the last one left: nothing has come since
    this.#forgetTurns();
    const stop = this.metrics.updateSeconds.startTimer();
    const endMs = performance.now() + ENFORCE_MS;
    let update: ClusterUpdate;
    try {
      update = this.#compiler.commit(() => performance.now() < endMs);
    } catch (err) {
      return this.#startOver(err);
    }
    const concerned = this.#concerned(update);
    this.#pastOwners.remember(update.formerOwners, performance.now());
    // Policies that are not in force yet, because their groups' members are still being found, change no table.
    const isNothing = goesOn && concerned.size === 0;
    if (!isNothing) this.#revision += 1;
    for (const [podKey, session] of concerned) {
      this.#moved.add(podKey);
      if (session.takesChanges && !this.#changedPods.has(podKey))
        this.#queue.addChange(session, this.#revision); // as for thousands of sidecars of a busy namespace
      else this.#serve(session, podKey);
    }
    this.#changedPods.clear();
    for (const key of this.#excess.note(this.#compiler.excess)) this.#counts.touch(key);
    this.#serviceExcess.note(this.#compiler.serviceExcess);
    if (this.#compiler.waiting.size > 0) this.#goingOn = setImmediate(() => this.#commit());
    const seconds = stop();
    this.#sentAtMs = performance.now();
    this.#log[isNothing ? 'debug' : 'info'](
      {
        revision: this.#revision,
        tables: concerned.size,
        duration_ms: Math.round(seconds * 1000),
      },
      isNothing ? 'the last change goes on' : 'cluster changed',
    );
  }

  #forgetTurns(): void {
    clearTimeout(this.#gathering);
    clearImmediate(this.#goingOn);
    this.#gathering = undefined;
    this.#goingOn = undefined;
  }

  /** Who is to hear of a change, by pod. */
  #concerned({ touched, movedInLarge }: ClusterUpdate): ReadonlyMap<string, TableSession> {
    const concerned = new Map<string, TableSession>();
    for (const podKey of touched) {
      const session = this.#byPod.get(podKey);
      if (session !== undefined) concerned.set(podKey, session);
    }
    for (const address of movedInLarge)
      for (const session of this.#met.sessions(address))
        if (session.podKey !== undefined) concerned.set(session.podKey, session);
    return concerned;
  }

  /**
   * A change could not be taken in, or only half of it: all tables are made again from the source. Where that fails too
   * the injector ends: one that does not know the cluster must not call tables current.
   */
  #startOver(err: unknown): void {
    this.#log.error({ err }, 'a change cannot be taken in: all tables are made again');
    this.#forgetTurns();
    try {
      this.#compiler = createCompiler(this.#source.cluster, this.#compilerOptions);
    } catch (fault) {
      this.close();
      return this.#fatal(fault);
    }
    this.#revision += 1;
    this.#counts = new PolicyCounts(this.#source.cluster);
    this.#excess.note(this.#compiler.excess);
    this.#serviceExcess.note(this.#compiler.serviceExcess);
    for (const [podKey, session] of this.#byPod) this.#follow(session, podKey);
  }

  /** Has a session served from here on. Never throws: one pod's fault is not another's. */
  #follow(session: TableSession, podKey: string): void {
    this.#moved.add(podKey);
    try {
      this.#compiler.follow(podKey);
      this.#compiler.needsWholeGroups(podKey, session.needsWholeGroups);
      this.#serve(session, podKey);
    } catch (err) {
      this.#blame(session, podKey, err);
    }
  }

  /** Has a session sent what is new for it: its whole table, what changes in it, or why there is none. */
  #serve(session: TableSession, podKey: string): void {
    const subject = findSubject(this.#compiler.cluster, podKey, session.podUid);
    if (subject.found) {
      if (session.awaitsWant) return; // it answers soon, and is sent then what has changed
      const revision = this.#revisionFor(session);
      if (session.takesChanges) return this.#queue.addChange(session, revision);
      return this.#queue.addTable(session, revision);
    }
    this.#queue.delete(session);
    const ended = subject.gone && session.podUid !== undefined && session.revision !== undefined;
    return ended ? session.fail(subject.message, 'pod-gone') : session.withhold(subject.message);
  }

  /** Of what a session is sent next: not that of what it was sent last, unless that is the same. */
  #revisionFor(session: TableSession): number {
    // What it has asked about is a change of its table, though none of the cluster.
    if (session.hasQuestions && session.revision === this.#revision) this.#revision += 1;
    return this.#revision;
  }

  /** See `FrameMaker`. Never throws: one pod's fault is not another's. */
  send(session: TableSession, due: Due, goOn: () => boolean): Sending {
    const { podKey } = session;
    if (podKey === undefined) return 'done';
    this.moved(session);
    try {
      return session.deliver(due.kind, () => this.#compiler.compile(podKey, due.revision), goOn);
    } catch (err) {
      this.#blame(session, podKey, err);
      return 'done';
    }
  }

  /** Ends the session: nothing may call what the sidecar has current, and it comes back for another try. */
  #blame(session: TableSession, podKey: string, err: unknown): void {
    this.#log.error({ err, pod: podKey }, 'table cannot be made: the sidecar keeps what it has');
    const message = err instanceof SluiceError ? `${err.code}: ${err.message}` : String(err);
    session.fail(`the table cannot be made: ${message}`, 'no-table');
  }
}

/** Thrown outside of the call that failed, so that no caller catches it as a failure of its own. */
function endProcess(fault: unknown): void {
  setImmediate(() => {
    throw fault;
  });
}
