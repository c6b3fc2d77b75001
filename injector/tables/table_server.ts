/**
 * Gives each sidecar its own pod's table and nothing else: a snapshot first, then what changes. It knows no socket:
 * a transport attaches links and passes frames on.
 *
 * It is put together of those who know: what has changed (`ClusterFollower`), who is connected (`Sessions`), who is sent something next
 * (`SendQueue`), how that is written (`TableWriter`), who enforces what (`EnforcementStatus`), and who has an address (`Identities`).
 */
import type { Logger } from 'pino';
import { SluiceError } from '../../common/errors.ts';
import type { PathUse } from '../../common/path.ts';
import type { RateLimits } from '../../common/token_bucket.ts';
import {
  type ClusterChange,
  type ClusterUpdate,
  type CompilerOptions,
  MAX_MET,
  SCHEMA_1,
  TABLE_SCHEMA,
} from '../../policy/index.ts';
import type { ManifestProblem } from '../../sources/index.ts';
import type { CommittedChanges, ObjectChanges } from '../changes/index.ts';
import { AddressRates } from '../doors/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { ClusterSource } from '../source.ts';
import { Beats } from './beats.ts';
import { type ClusterEvents, ClusterFollower, type SessionsByPod } from './cluster_follower.ts';
import { EnforcementStatus } from './enforcement_status.ts';
import { FlowIntake, type FlowSink, NO_SINK } from './flow_intake.ts';
import { Heartbeats, type TableWriter, TableWriterV1, TableWriterV2 } from './frames/index.ts';
import { Identities } from './identities.ts';
import type { PolicyCounts } from './policy_counts.ts';
import { type FrameMaker, SendQueue } from './send_queue.ts';
import type { ServerStatus } from './server_status.ts';
import {
  type Due,
  type Identified,
  type Sending,
  type SessionHost,
  type SessionLimits,
  type SessionLink,
  type SessionPod,
  TableSession,
  type ViewHost,
} from './session/index.ts';
import { Sessions } from './sessions.ts';
import { findSubject, type SubjectLookup } from './subject.ts';

/**
 * Time between heartbeats, ms. Sidecars of `WireVersion` 1 take five missed ones as the injector's absence. Those of 2 look for another
 * replica after 3 s of silence, and a table that was sent up to 500 ms before stands for a heartbeat: so this thread may be late by
 * 500 ms.
 */
export const HEARTBEAT_MS = 2_000;

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

/** Whole tables that a pod's sidecar is sent because it refused what it had been sent: it decides how often it refuses. */
const WHOLE_AFTER_REFUSAL: RateLimits = { burst: 5, perSecond: 0.1 };

/** Settings; tests shorten them. */
export interface TableServerOptions extends Partial<SessionLimits>, CompilerOptions {
  /** By pod; default 256, then 2 a second. */
  readonly acquaintances?: RateLimits;
  /** Default `HEARTBEAT_MS`. */
  readonly heartbeatMs?: number;
  /** Default 5 s. */
  readonly helloTimeoutMs?: number;
  /** Hears which objects have changed, before any sidecar gets a table of that revision. Default: nobody. */
  readonly objectChanges?: Pick<ObjectChanges, 'begin' | 'note'>;
  /** Called when tables can no longer be made; all sessions are cut by then. Default: the process ends, and is started again. */
  readonly fatal?: (fault: unknown) => void;
  /** Takes in what sidecars count; default: nobody does. */
  readonly flows?: FlowSink;
}

/** Serves tables of one source. Fail static: what cannot be made or sent leaves sidecars what they have. */
export class TableServer implements SessionHost<TableSession>, ClusterEvents, FrameMaker {
  readonly limits: SessionLimits;
  readonly metrics: InjectorMetrics;
  readonly heartbeats = new Heartbeats();
  readonly #log: Logger;
  readonly #helloTimeoutMs: number;
  readonly #fatal: (fault: unknown) => void;
  readonly #objectChanges: Pick<ObjectChanges, 'begin' | 'note'> | undefined;
  readonly #follower: ClusterFollower;
  readonly #sessions = new Sessions();
  readonly #queue = new SendQueue(this);
  readonly #status: EnforcementStatus;
  readonly #identities: Identities;
  readonly #writerV2 = new TableWriterV2();
  readonly #writerV1 = new TableWriterV1(() => this.#follower.compiler.directory);
  readonly #afterRefusal = new AddressRates(WHOLE_AFTER_REFUSAL);
  readonly #beats: Beats<TableSession>;
  readonly #flows: FlowIntake;
  /** Connected pods that have changed themselves since changes were last sent: whether policy can select them may have, too. */
  readonly #changedPods = new Set<string>();

  constructor(
    source: ClusterSource,
    metrics: InjectorMetrics,
    log: Logger,
    options: TableServerOptions = {},
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...options };
    this.metrics = metrics;
    this.#log = log;
    this.#helloTimeoutMs = options.helloTimeoutMs ?? HELLO_TIMEOUT_MS;
    this.#fatal = options.fatal ?? endProcess;
    this.#objectChanges = options.objectChanges;
    this.#follower = new ClusterFollower({ source, metrics, log, options, events: this });
    this.#objectChanges?.begin(this.revision);
    this.#identities = new Identities(() => this.#follower.compiler, options.acquaintances);
    const [follower, sessions, queue] = [this.#follower, this.#sessions, this.#queue];
    this.#status = new EnforcementStatus({ source, follower, sessions, queue });
    this.#flows = new FlowIntake(options.flows ?? NO_SINK);
    const { heartbeatMs = HEARTBEAT_MS } = options;
    this.#beats = new Beats(this.#sessions.all, heartbeatMs, (session) => session.beat(heartbeatMs));
  }

  /** Counts what may change a table; grows across restarts. */
  get revision(): number {
    return this.#follower.revision;
  }

  /** What is wrong with manifests, and which policies and Services are beyond a bound. */
  get problems(): readonly ManifestProblem[] {
    return this.#follower.problems;
  }

  /** Policies that are beyond a bound: all, or the one of a key. */
  policyProblems(key?: string): readonly ManifestProblem[] {
    return this.#follower.policyProblems(key);
  }

  /** Says where the egress of the pod with this `namespace/name` leaves out DNS. */
  forgottenDns(podKey: string): string | undefined {
    return this.#follower.compiler.forgottenDns(podKey);
  }

  /** See `EnforcementStatus`. */
  counts(): PolicyCounts {
    return this.#status.counts();
  }

  /** See `EnforcementStatus`. */
  status(): ServerStatus {
    return this.#status.status();
  }

  /** See `Sessions`. */
  get carried(): number {
    return this.#sessions.carried;
  }

  /** See `Sessions`. */
  get paths(): Readonly<Record<PathUse, number>> {
    return this.#sessions.paths;
  }

  /** See `Sessions`. */
  letGo(whose: 'all' | 'aged', atMost: number, message: string): number {
    return this.#sessions.letGo(whose, atMost, message);
  }

  /** Addresses that sidecars have met in large groups, those of each sidecar counted for itself. */
  get metAddresses(): number {
    return this.#sessions.met.size;
  }

  /** Cuts all sessions and stops. */
  close(): void {
    this.#follower.close();
    this.#beats.close();
    this.#queue.close();
    for (const session of [...this.#sessions.all]) session.cut('stopping');
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
    this.catchUp(); // what it is sent has all changes so far, and only later ones follow it
    const older = this.#sessions.byPod.get(podKey);
    const subject = this.#subjectOf(session, podKey);
    if (older?.revision !== undefined && !subject.found && subject.gone)
      return session.fail(subject.message, 'pod-gone');
    older?.cut(older.isLeaving ? 'moved' : 'replaced');
    this.#sessions.put(podKey, session);
    this.#follow(session, podKey);
  }

  /** See `SessionHost`. */
  moved({ podKey }: TableSession): void {
    if (podKey !== undefined && this.#sessions.byPod.has(podKey)) this.#status.moved(podKey);
  }

  /** See `SessionHost`. */
  resend(session: TableSession): void {
    this.moved(session);
    this.#queue.addTable(session, this.#queue.revision(session) ?? this.#revisionFor(session));
  }

  /** See `SessionHost`. */
  update(session: TableSession): void {
    const { podKey } = session;
    if (podKey === undefined || this.#sessions.byPod.get(podKey) !== session) return;
    this.#status.moved(podKey);
    this.#serve(session, podKey);
  }

  /** See `SessionHost`. */
  writer(schema: number): TableWriter | undefined {
    if (schema === TABLE_SCHEMA) return this.#writerV2;
    return schema === SCHEMA_1 ? this.#writerV1 : undefined;
  }

  /** See `SessionHost`. */
  identify(podKey: string, address: string): Identified | undefined {
    return this.#identities.of(podKey, address);
  }

  /** See `SessionHost`. */
  flows(podKey: string, pod: SessionPod, line: Uint8Array, isWhole: boolean): void {
    this.#flows.take(podKey, pod, line, isWhole);
  }

  /** See `SessionHost`. */
  mayMeet(podKey: string, address: string): boolean {
    return this.#identities.mayMeet(podKey, address);
  }

  /** See `SessionHost`. By pod, as a connection is soon made again. */
  mayStartOver(podKey: string): boolean {
    return this.#afterRefusal.take(podKey, performance.now());
  }

  /** See `SessionHost`. */
  viewHost(session: TableSession, podKey: string): ViewHost {
    const { met } = this.#sessions;
    return {
      isLarge: (id) => this.#follower.compiler.isLarge(id),
      isMember: (address) => this.#follower.compiler.isInLarge(podKey, address),
      met: (address) => met.add(address, session),
      forgot: (address) => met.delete(address, session),
      needsWhole: (isNeeded) => this.#follower.compiler.needsWholeGroups(podKey, isNeeded),
    };
  }

  /** See `SessionHost`. */
  isDue(session: TableSession): boolean {
    return this.#queue.revision(session) !== undefined;
  }

  /** See `SessionHost`. */
  leave(session: TableSession): void {
    this.#queue.delete(session);
    const podKey = this.#sessions.delete(session);
    if (podKey === undefined) return;
    this.#status.left(podKey);
    this.#follower.compiler.unfollow(podKey);
  }

  /** See `ClusterEvents`. */
  changing(change: ClusterChange): void {
    this.#status.changing(change);
    if (change.kind !== 'Pod' || !this.#sessions.byPod.has(change.key)) return;
    this.#status.moved(change.key);
    this.#changedPods.add(change.key);
  }

  /** See `ClusterEvents`. */
  concerned(update: ClusterUpdate): SessionsByPod {
    return this.#sessions.concerned(update);
  }

  /** See `ClusterEvents`. */
  objectsChanged(committed: CommittedChanges): void {
    this.#objectChanges?.note(committed);
  }

  /** See `ClusterEvents`. */
  changed({ formerOwners }: ClusterUpdate, concerned: SessionsByPod): void {
    this.#identities.remember(formerOwners);
    for (const [podKey, session] of concerned) {
      this.#status.moved(podKey);
      if (session.takesChanges && !this.#changedPods.has(podKey))
        this.#queue.addChange(session, this.revision); // as for thousands of sidecars of a busy namespace
      else this.#serve(session, podKey);
    }
    this.#changedPods.clear();
  }

  /** See `ClusterEvents`. */
  excessChanged(policyKeys: readonly string[]): void {
    this.#status.touch(policyKeys);
  }

  /** See `ClusterEvents`. */
  restarted(): void {
    this.#status.startOver();
    for (const [podKey, session] of this.#sessions.byPod) this.#follow(session, podKey);
  }

  /** See `ClusterEvents`. */
  failed(fault: unknown): void {
    this.close();
    this.#fatal(fault);
  }

  /** See `FrameMaker`. */
  catchUp(): void {
    this.#follower.catchUp();
  }

  /** Has a session served from here on. Never throws: one pod's fault is not another's. */
  #follow(session: TableSession, podKey: string): void {
    this.#status.moved(podKey);
    try {
      this.#follower.compiler.follow(podKey);
      this.#follower.compiler.needsWholeGroups(podKey, session.needsWholeGroups);
      this.#serve(session, podKey);
    } catch (err) {
      this.#blame(session, podKey, err);
    }
  }

  /** Has a session sent what is new for it: its whole table, what changes in it, or why there is none. */
  #serve(session: TableSession, podKey: string): void {
    const subject = this.#subjectOf(session, podKey);
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

  #subjectOf({ podUid, needsAddress }: TableSession, podKey: string): SubjectLookup {
    return findSubject(this.#follower.compiler.cluster, podKey, { uid: podUid, address: needsAddress });
  }

  /** Of what a session is sent next: not that of what it was sent last, unless that is the same. */
  #revisionFor(session: TableSession): number {
    // What it has asked about is a change of its table, though none of the cluster.
    const isOwnChange = session.hasQuestions && session.revision === this.revision;
    return isOwnChange ? this.#follower.countOne() : this.revision;
  }

  /** See `FrameMaker`. Never throws: one pod's fault is not another's. */
  send(session: TableSession, due: Due, goOn: () => boolean): Sending {
    const { podKey } = session;
    if (podKey === undefined) return 'done';
    this.moved(session);
    try {
      return session.deliver(due.kind, () => this.#follower.compiler.compile(podKey, due.revision), goOn);
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
