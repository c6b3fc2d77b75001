/** One sidecar's connection over any transport: what it was sent, what it enforces, and how far behind it reads. */
import type { Logger } from 'pino';
import { jittered } from '../../common/backoff.ts';
import { unreachable } from '../../common/errors.ts';
import { doSome, type Steps } from '../../common/steps.ts';
import {
  type IdentifiedPeer,
  MAX_MET_AT_ONCE,
  objectKey,
  type PartName,
  partNames,
  SCHEMA_1,
  type SidecarFrame,
  TABLE_SCHEMA,
  type Table,
  type WireVersion,
} from '../../policy/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { Sending } from './due.ts';
import { type FrameBytes, type Heartbeats, lengthOf, type SmallFrame, smallFrame } from './frame_bytes.ts';
import { PartialView, type ViewHost } from './partial_view.ts';
import { QuestionBudget } from './question_budget.ts';
import type { CutReason, SessionLimits, SessionLink, SessionPod } from './session_link.ts';
import type { TableWriter } from './table_writer.ts';

/** What a session asks of the server. */
export interface SessionHost {
  /** Of what may change a table. No table has it while its pod has none. */
  readonly revision: number;
  readonly limits: SessionLimits;
  readonly metrics: InjectorMetrics;
  readonly heartbeats: Heartbeats;
  /** It is known whose table the session wants: it is to be sent now. */
  admit(session: TableSession): void;
  /** The sidecar needs its whole table, as it is now. */
  resend(session: TableSession): void;
  /** The sidecar has the table that it was sent: what has changed since is to be sent. */
  update(session: TableSession): void;
  /** How tables are written in a schema; undefined: that schema is not spoken. */
  writer(schema: number): TableWriter | undefined;
  /**
   * Who has a canonical address, or had it a short while ago; undefined: no pod. The tag is for those who have it in their table
   * already.
   */
  identify(
    session: TableSession,
    address: string,
  ): (Pick<IdentifiedPeer, 'pod'> & { readonly tag?: string }) | undefined;
  /** Whether the pod may ask about one more address. */
  mayMeet(podKey: string, address: string): boolean;
  /** Whether the pod's sidecar, which refused what it was sent, may be sent a whole table now. It counts. */
  mayStartOver(podKey: string): boolean;
  /** For the view of a session that takes partial groups. */
  viewHost(session: TableSession): ViewHost;
  /** Whether a table or change for the session is to be sent soon. */
  isDue(session: TableSession): boolean;
  /** What the sidecar enforces, or what it is to enforce, may be another. */
  moved(session: TableSession): void;
  /** The session is over. */
  leave(session: TableSession): void;
}

/** What a sidecar says of itself in its hello. */
export interface SessionForm {
  readonly schema: number;
  /** It has a table, and takes an outline. */
  readonly holds?: boolean;
  /** It takes partial groups. */
  readonly partial?: boolean;
}

/** Refusals of one sidecar that are logged between heartbeats: it decides how many there are. */
const MAX_LOGGED_NACKS = 5;

/** What a sidecar says of a refusal is kept and logged up to this length, characters: ours are shorter. */
const MAX_MESSAGE_LENGTH = 1_000;

/** With more than this unread its questions stay unanswered, bytes: it decides how many there are, and whether it reads. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** An answer about a pod that would be longer has its names only, bytes: a pod may have thousands of labels. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** A sidecar that was asked to move and is still here after this long could not, ms: it counts, and may be asked again. */
const LEAVING_MS = 30_000;

/** What a session was last sent. */
type Sent =
  /** Nothing, or that its pod is unknown. */
  | { readonly kind: 'no-table'; readonly message?: string }
  | {
      readonly kind: 'table';
      readonly table: Table;
      readonly as: 'snapshot' | 'change' | 'outline';
      readonly atMs: number;
    };

/** A frame that is being made. */
interface Begun {
  readonly frame: Steps<FrameBytes | undefined>;
  readonly as: 'snapshot' | 'change' | 'outline';
  readonly table: Table;
  /** What the sidecar has asked about: the table has those of them that are members. */
  readonly asked: readonly string[];
}

/** One sidecar's connection. The transport calls `receive`, `fail` and `closed`. */
export class TableSession {
  readonly #host: SessionHost;
  readonly #link: SessionLink;
  #log: Logger;
  #podKey: string | undefined;
  #namespace = '';
  #podUid: string | undefined;
  #schema = 0;
  #writer: TableWriter | undefined;
  /** The sidecar has a table of its own, and has not been sent an outline yet. */
  #holds = false;
  /** What the sidecar was sent in outline, until it says which parts of it it wants. */
  #offered: Table | undefined;
  /** Which parts of that it wants. */
  #wanted: { readonly offered: Table; readonly parts: ReadonlySet<number> } | undefined;
  /** Absent: it is sent tables as they are. */
  #view: PartialView | undefined;
  #sent: Sent = { kind: 'no-table' };
  /** A frame that is being made, to be sent next. */
  #begun: Begun | undefined;
  /** What was sent when the time to its being enforced was last measured. */
  #measured: Sent | undefined;
  /** The sidecar refused what it was last sent: a delta would not apply. */
  #refused = false;
  #enforced: number | null = null;
  #error: string | undefined;
  #over = false;
  #queuedAtBeat = 0;
  #stalledBeats = 0;
  readonly #questions: QuestionBudget;
  /** Refused since the last heartbeat. */
  #nacks = 0;
  #wire: WireVersion = 1;
  /** When it has lasted long enough, and when it was last asked to move; on the clock of `performance.now`. */
  readonly #agedAtMs: number;
  #askedToMoveAtMs = Number.NEGATIVE_INFINITY;

  constructor(host: SessionHost, link: SessionLink, log: Logger) {
    this.#host = host;
    this.#link = link;
    this.#log = log;
    this.#questions = new QuestionBudget(host.limits.maxQuestions, host.limits.maxMeets);
    this.#agedAtMs = performance.now() + jittered(host.limits.leastAgeMs, host.limits.mostAgeMs);
  }

  /** `namespace/name`; absent before the hello. */
  get podKey(): string | undefined {
    return this.#podKey;
  }

  /** Namespace of its pod; empty before the hello. */
  get namespace(): string {
    return this.#namespace;
  }

  /** The only pod of that name that may be served; absent where every client is trusted. */
  get podUid(): string | undefined {
    return this.#podUid;
  }

  /** Revision of the table last sent; absent where there is none. */
  get revision(): number | undefined {
    return this.#sent.kind === 'table' ? this.#sent.table.revision : undefined;
  }

  /** Whether the sidecar can go on from what it was last sent; else it needs a snapshot. */
  get takesChanges(): boolean {
    return this.#sent.kind === 'table' && !this.#refused && this.#wanted === undefined;
  }

  /** Whether the sidecar refused what it was last sent, and does not enforce what it was sent for that yet. */
  get refuses(): boolean {
    return this.#refused;
  }

  /** Whether the sidecar has yet to say which parts of its table it wants: until then it is sent nothing more. */
  get awaitsWant(): boolean {
    return this.#offered !== undefined;
  }

  /** Whether changes of all members of large groups concern it. */
  get needsWholeGroups(): boolean {
    return this.#view?.needsWhole !== false;
  }

  /** Addresses that it has met in large groups; undefined: it has all of them whole. */
  get met(): ReadonlySet<string> | undefined {
    return this.#view?.isWhole === false ? this.#view.met : undefined;
  }

  /** Whether its next change may bring what no change of the cluster has brought: answers to what it has asked. */
  get hasQuestions(): boolean {
    return this.#view?.hasQuestions === true;
  }

  /** Bytes that the sidecar has not read yet. */
  get queuedBytes(): number {
    return this.#link.queuedBytes;
  }

  /** Last revision the sidecar has said it enforces, of those sent on this connection. */
  get enforced(): number | null {
    return this.#enforced;
  }

  /** Why the sidecar does not enforce its table, as far as known. */
  get error(): string | undefined {
    return this.#error;
  }

  /** Whether it has lasted for as long as a session lasts where there is another replica. */
  get isAged(): boolean {
    return performance.now() >= this.#agedAtMs;
  }

  /** Whether the sidecar was asked to move, a short while ago. */
  get isLeaving(): boolean {
    return performance.now() - this.#askedToMoveAtMs < LEAVING_MS;
  }

  /** A frame has come from the sidecar. */
  receive(frame: SidecarFrame): void {
    if (this.#over) return;
    switch (frame.type) {
      case 'hello':
        return this.open({ namespace: frame.namespace, name: frame.pod }, frame);
      case 'token-hello':
        return this.fail('a token is not asked for here: over TLS it is, once');
      case 'ack':
        return this.#onAck(frame.revision);
      case 'nack':
        return this.#onNack(frame);
      case 'identify':
        return this.#onQuestion(frame.address);
      case 'want':
        return this.#onWant(frame.parts);
      case 'meet':
        return this.#onMeet(frame.addresses);
      default:
        return unreachable(frame);
    }
  }

  /**
   * Whose table is wanted is known, and in which form. A transport that checks it itself calls this.
   * @param wire what the sidecar knows; default: what all know
   */
  open(pod: SessionPod, form: SessionForm, wire: WireVersion = 1): void {
    if (this.#podKey !== undefined) return this.fail('a second hello on one connection');
    const { schema, holds = false, partial = false } = form;
    const podKey = objectKey(pod.namespace, pod.name);
    this.#log = this.#log.child({ pod: podKey });
    this.#schema = schema;
    this.#holds = holds;
    this.#writer = this.#host.writer(schema);
    if (this.#writer === undefined) {
      // Sidecars read the beginning of this sentence to find out what is served: it must not change.
      const served = `${SCHEMA_1} and ${TABLE_SCHEMA} are served`;
      const message = `table schema ${schema} is wanted, ${served}: run sidecar and injector of one release`;
      return this.fail(message, 'schema');
    }
    this.#podKey = podKey;
    this.#namespace = pod.namespace;
    this.#podUid = pod.uid;
    this.#wire = wire;
    if (partial && schema === TABLE_SCHEMA)
      this.#view = new PartialView(this.#host.viewHost(this), this.#host.limits);
    this.#log.info('sidecar connected');
    this.#host.admit(this);
  }

  /** What came cannot be served: the sidecar gets the reason, and the connection ends. */
  fail(message: string, reason: CutReason = 'bad-frame'): void {
    // More of the same chunk: one complaint is enough.
    if (this.#over) return;
    this.#log.warn({ reason }, `sidecar connection refused: ${message}`);
    this.#send({ type: 'refused', message });
    this.cut(reason, 'flush');
  }

  /** The transport's connection has ended. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#host.leave(this);
  }

  /** Ends the session from this side. */
  cut(reason: CutReason, how: 'flush' | 'drop' = 'drop'): void {
    if (this.#over) return;
    this.#host.metrics.sessionsCut.inc({ reason });
    if (reason !== 'stopping' && reason !== 'moved')
      this.#log.warn({ reason, queued_bytes: this.#link.queuedBytes }, 'sidecar connection cut');
    this.closed();
    this.#link.close(how);
  }

  /**
   * Sends what the sidecar waits for: what leads to a table from the one that was sent last, as far as that will do, or the whole
   * table, as much of it as the sidecar lacks. A frame is made of the table that there is when it is begun. None is begun for a sidecar
   * that has refused too much: `beat` asks again.
   * @param table as it is now
   * @param goOn whether there is time to go on
   * @returns `begun`: there was no time for all of it, and it goes on where it was with the next call
   */
  deliver(kind: 'table' | 'change', table: () => Table, goOn: () => boolean): Sending {
    const begun = this.#begun ?? (this.#mayBegin ? this.#begin(kind, table()) : undefined);
    this.#begun = undefined;
    if (begun === undefined) return 'done';
    const done = doSome(begun.frame, goOn);
    if (done === undefined) {
      this.#begun = begun;
      return 'begun';
    }
    if (begun.as === 'change' && !this.takesChanges) {
      // Refused meanwhile: what leads on from it is of no use.
      this.#view?.ask(begun.asked);
      return this.deliver('table', table, goOn);
    }
    if (done.made !== undefined) this.#sendTable(done.made, begun.as, begun.table);
    // Of an outline, the parts that the sidecar lacks come first.
    if (this.awaitsWant) this.#view?.ask(begun.asked);
    else this.#answerMet(begun.asked);
    return begun.as === 'change' && done.made !== undefined && !this.#over ? 'change' : 'done';
  }

  get #mayBegin(): boolean {
    return !this.#refused || (this.#podKey !== undefined && this.#host.mayStartOver(this.#podKey));
  }

  #begin(kind: 'table' | 'change', whole: Table): Begun | undefined {
    const writer = this.#writer;
    if (writer === undefined) return undefined;
    const table = this.#view?.of(whole) ?? whole;
    const asked = this.#view?.takeAsked() ?? [];
    if (kind === 'change' && this.#sent.kind === 'table' && this.takesChanges)
      return { frame: writer.change(this.#sent.table, table), as: 'change', table, asked };
    const [holds, wanted] = [this.#holds, this.#wanted];
    this.#holds = false;
    this.#offered = undefined;
    this.#wanted = undefined;
    if (holds && writer.outline !== undefined) {
      this.#offered = table;
      return { frame: writer.outline(table), as: 'outline', table, asked };
    }
    if (wanted !== undefined && writer.outline !== undefined)
      return { frame: writer.outline(table, isLacking(wanted, table)), as: 'outline', table, asked };
    return { frame: writer.snapshot(table), as: 'snapshot', table, asked };
  }

  /** Sends the sidecar word that there is no table for its pod. */
  withhold(message: string): void {
    // What is being made, or was offered, holds no more, also where the sidecar knows already: the pod's next table comes whole.
    this.#begun = undefined;
    this.#offered = undefined;
    this.#wanted = undefined;
    if (this.#sent.kind === 'no-table' && this.#sent.message === message) return;
    this.#sent = { kind: 'no-table', message };
    this.#enforced = null;
    this.#refused = false;
    this.#error = message;
    this.#send({ type: 'unknown-pod', message });
  }

  /**
   * Has the sidecar connect to another replica. It is served here until the other one serves it, and knows nothing of this where it
   * has no table yet.
   * @returns whether it was asked: not one that does not know how, not again soon, and not while it fills in an outline
   */
  move(message: string): boolean {
    if (this.#wire < 2 || this.#sent.kind === 'no-table' || this.isLeaving) return false;
    // It is about to be served, and has nothing yet that another replica could go on from.
    if (this.awaitsWant || this.#wanted !== undefined || this.#begun !== undefined) return false;
    this.#askedToMoveAtMs = performance.now();
    return this.#send({ type: 'moved', message });
  }

  /** Shows life to a sidecar that wants it often. A table, or a change of it, shows as much. */
  pulse(intervalMs: number): void {
    if (this.#wire < 2 || this.#over || this.#link.queuedBytes > 0) return;
    const sentAtMs = this.#sent.kind === 'table' ? this.#sent.atMs : Number.NEGATIVE_INFINITY;
    if (performance.now() - sentAtMs >= intervalMs / 2) this.#showLife();
  }

  /** Every few seconds: notices a reader that does not drain, retries a refused snapshot, and shows life to the others. */
  beat(): void {
    if (this.#over) return;
    this.#questions.beat();
    this.#nacks = 0;
    const queued = this.#link.queuedBytes;
    const stalled = queued > 0 && queued >= this.#queuedAtBeat;
    this.#stalledBeats = stalled ? this.#stalledBeats + 1 : 0;
    this.#queuedAtBeat = queued;
    if (this.#stalledBeats > this.#host.limits.maxStalledBeats) return this.cut('slow');
    // A heartbeat behind a queue would only make it longer.
    if (queued > 0 || this.#podKey === undefined) return;
    const isRetryDue =
      (this.#refused || this.awaitsWant) &&
      this.#sent.kind === 'table' &&
      performance.now() - this.#sent.atMs >= this.#host.limits.refusedRetryMs;
    if (isRetryDue) this.#host.resend(this);
    else if (this.#wire < 2) this.#showLife();
  }

  #showLife(): void {
    // Without a table it shows life only: what the sidecar may still have is not confirmed by another revision.
    const revision = this.#sent.kind === 'table' ? this.#sent.table.revision : this.#host.revision;
    this.#sendBytes(this.#host.heartbeats.of(revision), 'heartbeat');
  }

  #onAck(revision: number): void {
    if (this.#sent.kind === 'no-table' || revision > this.#sent.table.revision) {
      // A table kept on disk, from before this connection: true, but not ours to count.
      this.#log.debug({ revision }, 'ack of a revision that was not sent here');
      return;
    }
    this.#enforced = revision;
    this.#host.moved(this);
    if (revision !== this.#sent.table.revision) return;
    const wasRefused = this.#refused;
    this.#refused = false;
    if (wasRefused) this.#host.update(this); // what changed while it refused, or was asked about, may not have been sent
    this.#error = undefined;
    if (this.#measured === this.#sent) return; // said again
    this.#measured = this.#sent;
    this.#host.metrics.enforceSeconds.observe((performance.now() - this.#sent.atMs) / MS_PER_SECOND);
  }

  #onNack(nack: Extract<SidecarFrame, { type: 'nack' }>): void {
    this.#host.metrics.nacks.inc();
    const message = nack.message.slice(0, MAX_MESSAGE_LENGTH);
    const code = nack.code.slice(0, MAX_MESSAGE_LENGTH);
    this.#error = `${code}: ${message}`;
    this.#nacks += 1;
    if (this.#nacks <= MAX_LOGGED_NACKS)
      this.#log.warn({ revision: nack.revision, code }, `sidecar refused a table: ${message}`);
    if (this.#sent.kind === 'no-table') return;
    this.#refused = true;
    this.#host.moved(this);
    // A snapshot is under way, or was refused itself and would be again, without end: `beat` retries it.
    if (this.#sent.as !== 'snapshot') this.#host.resend(this);
  }

  #onWant(parts: readonly number[]): void {
    const offered = this.#offered;
    this.#offered = undefined;
    if (offered === undefined) return; // it was sent the whole table meanwhile
    if (parts.length === 0) return this.#host.update(this);
    this.#wanted = { offered, parts: new Set(parts) };
    this.#host.resend(this);
  }

  #onQuestion(address: string): void {
    const podKey = this.#podKey;
    if (this.#link.queuedBytes > MAX_UNREAD_BYTES) return;
    const mayMeet = (): boolean => podKey !== undefined && this.#host.mayMeet(podKey, address);
    if (podKey === undefined || !this.#questions.take(address, mayMeet)) return;
    const found = this.#host.identify(this, address);
    const tag = found?.tag === undefined || this.#schema === SCHEMA_1 ? {} : { tag: found.tag };
    const answer = { type: 'identity', address, pod: found?.pod ?? null, ...tag } as const;
    const bytes = smallFrame(answer);
    if (answer.pod === null || lengthOf(bytes) <= MAX_ANSWER_BYTES)
      return void this.#sendBytes(bytes, answer.type);
    this.#send({ ...answer, pod: { ...answer.pod, labels: {}, namespaceLabels: {}, ports: [] } });
  }

  #onMeet(addresses: readonly string[]): void {
    if (addresses.length > MAX_MET_AT_ONCE)
      return this.fail(`a meet has ${MAX_MET_AT_ONCE} addresses at most, not ${addresses.length}`);
    if (this.#podKey === undefined || this.#link.queuedBytes > MAX_UNREAD_BYTES) return;
    if (!this.#questions.takeMeet(addresses.length)) return;
    const view = this.#view;
    // All groups are sent whole, so that the sidecar has those that are members.
    if (view === undefined) return void this.#send({ type: 'met', addresses });
    const takesChange = this.takesChanges && !this.awaitsWant;
    if (takesChange && !this.#host.isDue(this) && !view.isNews(addresses))
      return void this.#send({ type: 'met', addresses });
    view.ask(addresses);
    if (takesChange) this.#host.update(this);
  }

  /** After the table or change that has them. */
  #answerMet(asked: readonly string[]): void {
    for (let start = 0; start < asked.length; start += MAX_MET_AT_ONCE)
      this.#send({ type: 'met', addresses: asked.slice(start, start + MAX_MET_AT_ONCE) });
  }

  #sendTable(bytes: FrameBytes, as: 'snapshot' | 'change' | 'outline', table: Table): void {
    if (!this.#sendBytes(bytes, as)) return;
    this.#sent = { kind: 'table', table, as, atMs: performance.now() };
    if (!this.#refused) this.#error = undefined;
  }

  #send(frame: SmallFrame): boolean {
    return this.#sendBytes(smallFrame(frame), frame.type);
  }

  #sendBytes(bytes: FrameBytes, type: string): boolean {
    if (this.#over) return false;
    if (this.#link.queuedBytes > this.#host.limits.maxQueuedBytes) {
      this.cut('slow');
      return false;
    }
    this.#link.send(bytes);
    this.#host.metrics.framesSent.inc({ type });
    return true;
  }
}

/** Which parts of a table a sidecar lacks: those it wants, and those that have changed since they were offered. */
function isLacking(
  { offered, parts }: { readonly offered: Table; readonly parts: ReadonlySet<number> },
  table: Table,
): (name: PartName) => boolean {
  const wanted = new Set(
    partNames(offered).flatMap(({ kind, key }, number) => (parts.has(number) ? [`${kind} ${key}`] : [])),
  );
  const [before, now] = [new Map(offered.services.shards()), new Map(table.services.shards())];
  return ({ kind, key }) => {
    if (wanted.has(`${kind} ${key}`)) return true;
    if (kind === 'services') return before.get(key) !== now.get(key);
    return kind === 'policy'
      ? offered.policies.get(key) !== table.policies.get(key)
      : offered.groups.get(key) !== table.groups.get(key);
  };
}

const MS_PER_SECOND = 1000;
