/** What one sidecar asks about addresses: who has one, and which are members of large groups. It decides how often it asks. */
import { MAX_MET_AT_ONCE, SCHEMA_1 } from '../../../policy/index.ts';
import { type FrameBytes, lengthOf, type SmallFrame, smallFrame } from '../frames/index.ts';
import type { PartialView } from './partial_view.ts';
import { QuestionBudget } from './question_budget.ts';
import type { Identified } from './session_host.ts';
import type { SessionLimits, SessionLink } from './session_link.ts';

/** With more than this unread its questions stay unanswered, bytes: it decides how many there are, and whether it reads. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** An answer about a pod that would be longer has its names only, bytes: a pod may have thousands of labels. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** What answers need. */
export interface QuestionsParts {
  readonly link: Pick<SessionLink, 'queuedBytes'>;
  readonly limits: SessionLimits;
  /** Of the sidecar's tables. */
  readonly schema: number;
  /** Absent: it has all groups whole. */
  readonly view: PartialView | undefined;
  /** See `SessionHost`. */
  identify(address: string): Identified | undefined;
  /** See `SessionHost`. */
  mayMeet(address: string): boolean;
  /** Whether the sidecar goes on from what it was sent last: a change can bring an answer. */
  takesChanges(): boolean;
  /** Whether something is on its way to the sidecar. */
  isDue(): boolean;
  /** Has the sidecar sent what it has asked about. */
  update(): void;
  send(bytes: FrameBytes, type: SmallFrame['type']): void;
}

/** The questions of one session. */
export class SessionQuestions {
  readonly #parts: QuestionsParts;
  readonly #budget: QuestionBudget;

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
    this.#budget = new QuestionBudget(parts.limits.maxQuestions, parts.limits.maxMeets);
  }

  /** A heartbeat has passed. */
  beat(): void {
    this.#budget.beat();
  }

  /** Who has an address? */
  identify(address: string): void {
    const { link, schema } = this.#parts;
    if (link.queuedBytes > MAX_UNREAD_BYTES) return;
    if (!this.#budget.take(address, () => this.#parts.mayMeet(address))) return;
    const found = this.#parts.identify(address);
    const tag = found?.tag === undefined || schema === SCHEMA_1 ? {} : { tag: found.tag };
    const answer = { type: 'identity', address, pod: found?.pod ?? null, ...tag } as const;
    const bytes = smallFrame(answer);
    if (answer.pod === null || lengthOf(bytes) <= MAX_ANSWER_BYTES)
      return this.#parts.send(bytes, answer.type);
    this.#send({ ...answer, pod: { ...answer.pod, labels: {}, namespaceLabels: {}, ports: [] } });
  }

  /** Which of these are members of large groups of the table? Those that are come with a change, and the answer comes after it. */
  meet(addresses: readonly string[]): void {
    const { link, view } = this.#parts;
    if (link.queuedBytes > MAX_UNREAD_BYTES) return;
    if (!this.#budget.takeMeet(addresses.length)) return;
    // All groups are sent whole, so that the sidecar has those that are members.
    if (view === undefined) return this.#send({ type: 'met', addresses });
    const takesChanges = this.#parts.takesChanges();
    if (takesChanges && !this.#parts.isDue() && !view.isNews(addresses))
      return this.#send({ type: 'met', addresses });
    view.ask(addresses);
    if (takesChanges) this.#parts.update();
  }

  /** All is known of these, by the table or change that was sent last. */
  answered(addresses: readonly string[]): void {
    for (let start = 0; start < addresses.length; start += MAX_MET_AT_ONCE)
      this.#send({ type: 'met', addresses: addresses.slice(start, start + MAX_MET_AT_ONCE) });
  }

  #send(frame: SmallFrame): void {
    this.#parts.send(smallFrame(frame), frame.type);
  }
}
