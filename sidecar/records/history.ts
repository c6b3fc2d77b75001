/**
 * The last flows, oldest first: what /flows shows. Denials and cuts have a ring of their own, so that flows that passed do not push them
 * out. Of those the record is made when somebody asks for it: nearly all are pushed out before.
 */
import type { FlowRecord } from '../../flows/index.ts';

/** A flow whose record is made when it is asked for. */
export interface PassedRecord {
  record(): FlowRecord | Promise<FlowRecord>;
}

/** Something with its place in the order in which flows ended. */
interface Ordered<T> {
  readonly order: number;
  readonly kept: T;
}

/** Two rings of at most `capacity` flows each. */
export class FlowHistory {
  readonly #stopped: Ring<Ordered<FlowRecord>>;
  readonly #passed: Ring<Ordered<PassedRecord>>;
  #order = 0;

  /** @param capacity flows kept in each ring; 0 keeps none */
  constructor(capacity: number) {
    this.#stopped = new Ring(capacity);
    this.#passed = new Ring(capacity);
  }

  /** A flow ends now. @returns its place, for `addStopped`: its record may be made only later */
  next(): number {
    this.#order += 1;
    return this.#order;
  }

  /** A denial or a cut. */
  addStopped(order: number, kept: FlowRecord): void {
    this.#stopped.add({ order, kept });
  }

  /** Any other flow. */
  addPassed(kept: PassedRecord): void {
    this.#passed.add({ order: this.next(), kept });
  }

  /** All, in the order in which they ended. Resolves when it is known who the others were, which takes a moment at most. */
  async list(): Promise<readonly FlowRecord[]> {
    const passed = this.#passed.list().map(async ({ order, kept }) => ({ order, kept: await kept.record() }));
    const all = [...this.#stopped.list(), ...(await Promise.all(passed))];
    return all.sort((a, b) => a.order - b.order).map(({ kept }) => kept);
  }
}

/** The last `capacity` of what is added. */
class Ring<T> {
  readonly #capacity: number;
  readonly #kept: T[] = [];
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(one: T): void {
    if (this.#capacity === 0) return;
    this.#kept[this.#next] = one;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  list(): readonly T[] {
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)];
  }
}
