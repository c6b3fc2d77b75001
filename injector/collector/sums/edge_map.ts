/** Sums by edge, of one span of time. */
import { addSums, type EdgeSums } from './edges.ts';

/** Bounded: beyond so many kinds new ones have no place. */
export class EdgeMap {
  readonly #most: number;
  readonly #sums = new Map<string, EdgeSums>();

  /** @param most kinds of flows; some 500 bytes each */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#sums.size;
  }

  /** @returns false: there is no place for one more kind */
  add(key: string, sums: EdgeSums): boolean {
    const before = this.#sums.get(key);
    if (before === undefined && this.#sums.size >= this.#most) return false;
    this.#sums.set(key, before === undefined ? sums : addSums(before, sums));
    return true;
  }

  has(key: string): boolean {
    return this.#sums.has(key);
  }

  [Symbol.iterator](): MapIterator<[string, EdgeSums]> {
    return this.#sums.entries();
  }
}
