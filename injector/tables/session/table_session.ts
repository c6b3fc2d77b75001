/** One sidecar's connection over any transport: its hello, what it says of its table, and how far behind it reads. */
import type { Logger } from 'pino';
import { jittered } from '../../../common/backoff.ts';
import { unreachable } from '../../../common/errors.ts';
import type { PathUse } from '../../../common/path.ts';
import {
  MAX_MET_AT_ONCE,
  objectKey,
  SCHEMA_1,
  type SidecarFrame,
  TABLE_SCHEMA,
  type Table,
  type WireVersion,
} from '../../../policy/index.ts';
import { type FrameBytes, type SmallFrame, smallFrame, type TableWriter } from '../frames/index.ts';
import type { Sent, TableFrame } from './delivery_state.ts';
import type { Due, Sending } from './due.ts';
import { PartialView } from './partial_view.ts';
import type { SessionHost } from './session_host.ts';
import type { CutReason, SessionLink, SessionPod } from './session_link.ts';
import { SessionQuestions } from './session_questions.ts';
import { TableDelivery } from './table_delivery.ts';

/** What a sidecar says of itself in its hello. */
export interface SessionForm {
  readonly schema: number;
  /** It has a table, and takes an outline. */
  readonly holds?: boolean;
  /** It takes partial groups. */
  readonly partial?: boolean;
  /** Which way inbound TCP takes to the pod's app; absent: through the sidecar. */
  readonly path?: PathUse;
}

/** Refusals of one sidecar that are logged between heartbeats: it decides how many there are. */
const MAX_LOGGED_NACKS = 5;

/** What a sidecar says of a refusal is kept and logged up to this length, characters: ours are shorter. */
const MAX_MESSAGE_LENGTH = 1_000;

/** A table that was sent within this share of the time between heartbeats stands for one: the next comes 2.5 s after it at the latest. */
const SHOWN_SHARE = 1 / 4;

/** A sidecar that was asked to move and is still here after this long could not, ms: it counts, and may be asked again. */
const LEAVING_MS = 30_000;

/** Of who says itself which pod it is in: both ends are of one release there. */
const LOCAL_WIRE: WireVersion = 3;

const MS_PER_SECOND = 1000;

/** A session from its hello on. */
interface Opened {
  /** `namespace/name` of its pod. */
  readonly podKey: string;
  readonly pod: SessionPod;
  readonly wire: WireVersion;
  readonly path: PathUse;
  readonly schema: number;
  /** Absent: it is sent tables as they are. */
  readonly view: PartialView | undefined;
  readonly delivery: TableDelivery;
  readonly questions: SessionQuestions;
}

/** One sidecar's connection. The transport calls `receive`, `fail` and `closed`. */
export class TableSession {
  readonly #host: SessionHost<TableSession>;
  readonly #link: SessionLink;
  #log: Logger;
  #opened: Opened | undefined;
  #over = false;
  #enforced: number | null = null;
  #error: string | undefined;
  /** What was sent when the time to its being enforced was last measured. */
  #measured: Sent | undefined;
  /** Refused since the last heartbeat. */
  #nacks = 0;
  #queuedAtBeat = 0;
  #stalledBeats = 0;
  /** When it has lasted long enough, and when it was last asked to move; on the clock of `performance.now`. */
  readonly #agedAtMs: number;
  #askedToMoveAtMs = Number.NEGATIVE_INFINITY;

  constructor(host: SessionHost<TableSession>, link: SessionLink, log: Logger) {
    this.#host = host;
    this.#link = link;
    this.#log = log;
    this.#agedAtMs = performance.now() + jittered(host.limits.leastAgeMs, host.limits.mostAgeMs);
  }

  /** `namespace/name`; absent before the hello. */
  get podKey(): string | undefined {
    return this.#opened?.podKey;
  }

  /** Namespace of its pod; empty before the hello. */
  get namespace(): string {
    return this.#opened?.pod.namespace ?? '';
  }

  /** The only pod of that name that may be served; absent where every client is trusted. */
  get podUid(): string | undefined {
    return this.#opened?.pod.uid;
  }

  /** Whether its table needs an address of the pod. */
  get needsAddress(): boolean {
    return this.#opened?.schema === SCHEMA_1;
  }

  /** Which way inbound TCP took to the pod's app when the sidecar connected. */
  get path(): PathUse {
    return this.#opened?.path ?? 'proxy';
  }

  /** Revision of the table last sent; absent where there is none. */
  get revision(): number | undefined {
    return this.#last?.table.revision;
  }

  /** Whether the sidecar can go on from what it was last sent; else it needs a snapshot. */
  get takesChanges(): boolean {
    return this.#opened?.delivery.takesChanges === true;
  }

  /** Whether the sidecar refused what it was last sent, and does not enforce what it was sent for that yet. */
  get refuses(): boolean {
    return this.#opened?.delivery.isRefused === true;
  }

  /** Whether the sidecar has yet to say which parts of its table it wants: until then it is sent nothing more. */
  get awaitsWant(): boolean {
    return this.#opened?.delivery.awaitsWant === true;
  }

  /** Whether its next change may bring what no change of the cluster has brought: answers to what it has asked. */
  get hasQuestions(): boolean {
    return this.#opened?.view?.hasQuestions === true;
  }

  /** Whether changes of all members of large groups concern it. */
  get needsWholeGroups(): boolean {
    return this.#opened?.view?.needsWhole !== false;
  }

  /** Addresses that it has met in large groups; undefined: it has all of them whole. */
  get met(): ReadonlySet<string> | undefined {
    const view = this.#opened?.view;
    return view?.isWhole === false ? view.met : undefined;
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

  get #last(): Sent | undefined {
    return this.#opened?.delivery.last;
  }

  /** A frame has come from the sidecar. */
  receive(frame: SidecarFrame): void {
    if (this.#over) return;
    switch (frame.type) {
      case 'hello':
        return this.open({ namespace: frame.namespace, name: frame.pod }, frame, LOCAL_WIRE);
      case 'token-hello':
        return this.fail('a token is not asked for here: over TLS it is, once');
      case 'ack':
        return this.#onAck(frame.revision);
      case 'nack':
        return this.#onNack(frame);
      case 'identify':
        return this.#opened?.questions.identify(frame.address);
      case 'want':
        return this.#onWant(frame.parts);
      case 'meet':
        return this.#onMeet(frame.addresses);
      default:
        return unreachable(frame);
    }
  }

  /** A line of flows has come from the sidecar; see `FrameReader`. */
  flows(line: Uint8Array, isWhole: boolean): void {
    if (this.#over) return;
    const { podKey, pod } = this.#opened ?? {};
    if (podKey === undefined || pod === undefined) return this.fail('the first frame is a hello, not flows');
    this.#host.flows(podKey, pod, line, isWhole);
  }

  /**
   * Whose table is wanted is known, and in which form. A transport that checks it itself calls this.
   * @param wire what the sidecar knows; default: what all know
   */
  open(pod: SessionPod, form: SessionForm, wire: WireVersion = 1): void {
    if (this.#opened !== undefined) return this.fail('a second hello on one connection');
    const { schema } = form;
    const podKey = objectKey(pod.namespace, pod.name);
    this.#log = this.#log.child({ pod: podKey });
    const writer = this.#host.writer(schema);
    if (writer === undefined) {
      // Sidecars read the beginning of this sentence to find out what is served: it must not change.
      const served = `${SCHEMA_1} and ${TABLE_SCHEMA} are served`;
      const message = `table schema ${schema} is wanted, ${served}: run sidecar and injector of one release`;
      return this.fail(message, 'schema');
    }
    const { path = 'proxy' } = form;
    this.#opened = { podKey, pod, wire, path, schema, ...this.#parts(podKey, form, writer) };
    this.#log.info('sidecar connected');
    this.#host.admit(this);
  }

  #parts(
    podKey: string,
    { schema, holds = false, partial = false }: SessionForm,
    writer: TableWriter,
  ): Pick<Opened, 'view' | 'delivery' | 'questions'> {
    const host = this.#host;
    const { limits } = host;
    const takesPartial = partial && schema === TABLE_SCHEMA;
    const view = takesPartial ? new PartialView(host.viewHost(this, podKey), limits) : undefined;
    const questions = new SessionQuestions({
      link: this.#link,
      limits,
      schema,
      view,
      identify: (address) => host.identify(podKey, address),
      mayMeet: (address) => host.mayMeet(podKey, address),
      takesChanges: () => delivery.takesChanges,
      isDue: () => host.isDue(this),
      update: () => host.update(this),
      send: (bytes, type) => void this.#sendBytes(bytes, type),
    });
    const delivery = new TableDelivery({
      writer,
      view,
      holds,
      mayStartOver: () => host.mayStartOver(podKey),
      send: (bytes, as) => this.#sendTable(bytes, as),
      answered: (addresses) => questions.answered(addresses),
      update: () => host.update(this),
    });
    return { view, delivery, questions };
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

  /** See `TableDelivery`. */
  deliver(kind: Due['kind'], table: () => Table, goOn: () => boolean): Sending {
    return this.#opened?.delivery.deliver(kind, table, goOn) ?? 'done';
  }

  /** Sends the sidecar word that there is no table for its pod. */
  withhold(message: string): void {
    if (this.#opened?.delivery.withhold(message) !== true) return;
    this.#enforced = null;
    this.#error = message;
    this.#send({ type: 'unknown-pod', message });
  }

  /**
   * Has the sidecar connect to another replica. It is served here until the other one serves it, and knows nothing of this where it
   * has no table yet.
   * @returns whether it was asked: not one that does not know how, not again soon, and not while it fills in an outline
   */
  move(message: string): boolean {
    if (this.#opened === undefined || this.#opened.wire < 2 || this.isLeaving) return false;
    // One that is about to be served has nothing yet that another replica could go on from.
    if (!this.#opened.delivery.isComplete) return false;
    this.#askedToMoveAtMs = performance.now();
    return this.#send({ type: 'moved', message });
  }

  /**
   * Every `intervalMs`: notices a reader that does not drain, retries what was refused, and shows life. To a sidecar of `WireVersion` 2 a
   * table, or a change of it, shows as much.
   */
  beat(intervalMs: number): void {
    if (this.#over) return;
    this.#opened?.questions.beat();
    this.#nacks = 0;
    const queued = this.#link.queuedBytes;
    const stalled = queued > 0 && queued >= this.#queuedAtBeat;
    this.#stalledBeats = stalled ? this.#stalledBeats + 1 : 0;
    this.#queuedAtBeat = queued;
    if (this.#stalledBeats > this.#host.limits.maxStalledBeats) return this.cut('slow');
    // A heartbeat behind a queue would only make it longer.
    if (queued > 0 || this.#opened === undefined) return;
    const isRetried = this.#opened.delivery.isRetryDue(this.#host.limits.refusedRetryMs);
    if (isRetried) this.#host.resend(this);
    // What is sent again has to wait for its turn: a sidecar that looks for another replica soon hears something before that.
    const hears = this.#opened.wire < 2 ? !isRetried : this.#hasSaidNothingFor(intervalMs * SHOWN_SHARE);
    if (hears) this.#showLife();
  }

  #hasSaidNothingFor(ms: number): boolean {
    return this.#last === undefined || performance.now() - this.#last.atMs >= ms;
  }

  #showLife(): void {
    // Without a table it shows life only: what the sidecar may still have is not confirmed by another revision.
    this.#sendBytes(this.#host.heartbeats.of(this.revision ?? this.#host.revision), 'heartbeat');
  }

  #onAck(revision: number): void {
    const [opened, last] = [this.#opened, this.#last];
    if (opened === undefined || last === undefined || revision > last.table.revision) {
      // A table kept on disk, from before this connection: true, but not ours to count.
      this.#log.debug({ revision }, 'ack of a revision that was not sent here');
      return;
    }
    this.#enforced = revision;
    this.#host.moved(this);
    if (revision !== last.table.revision) return;
    if (opened.delivery.ack(revision)) this.#host.update(this);
    this.#error = undefined;
    if (this.#measured === last) return; // said again
    this.#measured = last;
    this.#host.metrics.enforceSeconds.observe((performance.now() - last.atMs) / MS_PER_SECOND);
  }

  #onNack(nack: Extract<SidecarFrame, { type: 'nack' }>): void {
    this.#host.metrics.nacks.inc();
    const message = nack.message.slice(0, MAX_MESSAGE_LENGTH);
    const code = nack.code.slice(0, MAX_MESSAGE_LENGTH);
    this.#error = `${code}: ${message}`;
    this.#nacks += 1;
    if (this.#nacks <= MAX_LOGGED_NACKS)
      this.#log.warn({ revision: nack.revision, code }, `sidecar refused a table: ${message}`);
    if (this.#opened === undefined || this.#last === undefined) return;
    const needsTable = this.#opened.delivery.nack();
    this.#host.moved(this);
    if (needsTable) this.#host.resend(this); // else `beat` retries what is under way, or was refused
  }

  #onWant(parts: readonly number[]): void {
    const due = this.#opened?.delivery.want(parts);
    if (due === 'change') this.#host.update(this);
    if (due === 'table') this.#host.resend(this);
  }

  #onMeet(addresses: readonly string[]): void {
    if (addresses.length > MAX_MET_AT_ONCE)
      return this.fail(`a meet has ${MAX_MET_AT_ONCE} addresses at most, not ${addresses.length}`);
    this.#opened?.questions.meet(addresses);
  }

  #sendTable(bytes: FrameBytes, as: TableFrame): boolean {
    if (!this.#sendBytes(bytes, as === 'parts' ? 'outline' : as)) return false;
    if (!this.refuses) this.#error = undefined;
    return true;
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
