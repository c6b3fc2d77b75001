/** The table of one sidecar on its way: what it has been sent, and the frame that is being made for it. */
import { doSome, type Steps } from '../../../common/steps.ts';
import { type PartName, partNames, type Table } from '../../../policy/index.ts';
import type { FrameBytes, TableWriter } from '../frames/index.ts';
import { type DeliveryState, nextDelivery, type Sent, type TableFrame } from './delivery_state.ts';
import type { Due, Sending } from './due.ts';
import type { PartialView } from './partial_view.ts';

/** What a delivery needs. */
export interface DeliveryParts {
  readonly writer: TableWriter;
  /** Absent: the sidecar is sent tables as they are. */
  readonly view: PartialView | undefined;
  /** Whether the sidecar has a table of its own, and takes an outline. */
  readonly holds: boolean;
  /** Whether the sidecar, which refused what it was sent, may be sent a whole table now. It counts. */
  mayStartOver(): boolean;
  /** @returns false where the connection is over */
  send(bytes: FrameBytes, as: TableFrame): boolean;
  /** What was sent last answers all that the sidecar has asked about these addresses. */
  answered(addresses: readonly string[]): void;
  /** Has the sidecar sent what has changed since, and what it has asked about. */
  update(): void;
}

/** A frame that is being made. */
interface Making {
  readonly frame: Steps<FrameBytes | undefined>;
  readonly as: TableFrame;
  readonly table: Table;
  /**
   * What the sidecar had asked about when the frame was begun: the table has those of them that are members. What it asks later is
   * answered by the next frame, of another revision: this one does not have who has become a member meanwhile.
   */
  readonly asked: readonly string[];
}

/** The delivery of one session. */
export class TableDelivery {
  readonly #parts: DeliveryParts;
  #state: DeliveryState;
  #making: Making | undefined;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.#state = { kind: 'nothing', holds: parts.holds };
  }

  /** What was sent last; undefined: the sidecar has no table from here. */
  get last(): Sent | undefined {
    return this.#state.kind === 'nothing' ? undefined : this.#state.last;
  }

  /** Whether the sidecar can go on from what it was sent last; else it needs a whole table. */
  get takesChanges(): boolean {
    return this.#state.kind === 'following';
  }

  /** Whether the sidecar has yet to say which parts of its table it wants: until then it is sent nothing more. */
  get awaitsWant(): boolean {
    return this.#state.kind === 'offered' || this.#making?.as === 'outline';
  }

  /** Whether the sidecar refused what it was sent, and does not enforce what it was sent for that yet. */
  get isRefused(): boolean {
    return this.#state.kind === 'refused';
  }

  /** Whether the sidecar has a table that another replica can go on from, and nothing is on its way to it. */
  get isComplete(): boolean {
    const { kind } = this.#state;
    return (kind === 'following' || kind === 'refused') && this.#making === undefined;
  }

  /**
   * Sends what the sidecar waits for: what leads to a table from the one that was sent last, as far as that will do, or the whole
   * table, as much of it as the sidecar lacks. A frame is made of the table that there is when it is begun. None is begun for a sidecar
   * that has refused too much.
   * @param table as it is now
   * @param goOn whether there is time to go on
   * @returns `begun`: there was no time for all of it, and it goes on where it was with the next call
   */
  deliver(kind: Due['kind'], table: () => Table, goOn: () => boolean): Sending {
    const making = this.#making ?? (this.#mayBegin() ? this.#begin(kind, table()) : undefined);
    this.#making = undefined;
    if (making === undefined) return 'done';
    const done = doSome(making.frame, goOn);
    if (done === undefined) {
      this.#making = making;
      return 'begun';
    }
    if (making.as === 'change' && !this.takesChanges) {
      // Refused meanwhile: what leads on from it is of no use.
      this.#parts.view?.ask(making.asked);
      return this.deliver('table', table, goOn);
    }
    const isSent = done.made !== undefined && this.#send(done.made, making);
    // Of an outline, the parts that the sidecar lacks come first.
    if (this.awaitsWant) this.#parts.view?.ask(making.asked);
    else this.#answer(making.asked);
    return isSent && making.as === 'change' ? 'change' : 'done';
  }

  #answer(asked: readonly string[]): void {
    this.#parts.answered(asked);
    // Asked while the frame was made: its revision answers none of that, and nothing else may change for long.
    if (this.takesChanges && this.#parts.view?.hasQuestions === true) this.#parts.update();
  }

  #mayBegin(): boolean {
    return !this.isRefused || this.#parts.mayStartOver();
  }

  #begin(kind: Due['kind'], whole: Table): Making {
    const { view } = this.#parts;
    const table = view?.of(whole) ?? whole;
    const asked = view?.takeAsked() ?? [];
    const [as, frame] = this.#frame(kind, table);
    this.#state = nextDelivery(this.#state, { type: 'begun', as });
    return { frame, as, table, asked };
  }

  #frame(kind: Due['kind'], table: Table): readonly [TableFrame, Steps<FrameBytes | undefined>] {
    const { writer } = this.#parts;
    const state = this.#state;
    if (kind === 'change' && state.kind === 'following')
      return ['change', writer.change(state.last.table, table)];
    if (writer.outline !== undefined) {
      if (state.kind === 'nothing' && state.holds) return ['outline', writer.outline(table)];
      if (state.kind === 'wanted')
        return ['parts', writer.outline(table, isLacking(state.last.table, state.parts, table))];
    }
    return ['snapshot', writer.snapshot(table)];
  }

  #send(bytes: FrameBytes, { as, table }: Making): boolean {
    if (!this.#parts.send(bytes, as)) return false;
    const sent = { as, table, atMs: performance.now() };
    this.#state = nextDelivery(this.#state, { type: 'sent', sent });
    return true;
  }

  /**
   * There is no table for the pod. What is being made or was offered holds no more: the pod's next table comes whole.
   * @returns whether the sidecar does not know yet
   */
  withhold(message: string): boolean {
    this.#parts.view?.ask(this.#making?.asked ?? []);
    this.#making = undefined;
    const before = this.#state;
    if (before.kind === 'nothing' && before.message === message) return false;
    this.#state = nextDelivery(before, { type: 'withheld', message });
    return true;
  }

  /**
   * The sidecar says which parts of the outline it wants.
   * @returns what it needs next: those parts, or what has changed since; undefined: it has been sent its whole table meanwhile
   */
  want(parts: readonly number[]): Due['kind'] | undefined {
    if (this.#state.kind !== 'offered') return undefined;
    this.#state = nextDelivery(this.#state, { type: 'want', parts: new Set(parts) });
    return parts.length === 0 ? 'change' : 'table';
  }

  /**
   * The sidecar refuses what it was sent.
   * @returns whether it needs its whole table now. One that refuses that would refuse it again, without end: that is for later
   */
  nack(): boolean {
    this.#state = nextDelivery(this.#state, { type: 'nack' });
    return this.last !== undefined && this.last.as !== 'snapshot';
  }

  /**
   * The sidecar enforces a revision that it was sent.
   * @returns whether it had refused what it was sent before that: what has changed meanwhile may not have been sent
   */
  ack(revision: number): boolean {
    const wasRefused = this.isRefused;
    this.#state = nextDelivery(this.#state, { type: 'ack', revision });
    return wasRefused && !this.isRefused;
  }

  /** Whether the sidecar was sent so long ago, ms, what it refused or has not answered, that it is sent its whole table now. */
  isRetryDue(afterMs: number): boolean {
    const state = this.#state;
    if (state.kind !== 'refused' && state.kind !== 'offered') return false;
    return performance.now() - state.last.atMs >= afterMs;
  }
}

/** Which parts of a table a sidecar lacks: those it wants of what it was offered, and those that have changed since. */
function isLacking(offered: Table, parts: ReadonlySet<number>, table: Table): (name: PartName) => boolean {
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
