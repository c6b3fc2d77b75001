/** The last N flow records, oldest first: what /flows shows. */
import type { FlowRecord } from '../../flows/index.ts';

/** A ring of at most `capacity` records. */
export class FlowHistory {
  readonly #capacity: number;
  readonly #ring: FlowRecord[] = [];
  #next = 0;

  /** @param capacity records kept; 0 keeps none */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(record: FlowRecord): void {
    if (this.#capacity === 0) return;
    this.#ring[this.#next] = record;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  list(): readonly FlowRecord[] {
    if (this.#ring.length < this.#capacity) return [...this.#ring];
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }
}
