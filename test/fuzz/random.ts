/** Random choices that a seed determines: the same seed makes the same case. */

/** Seeds are whole numbers below this. */
export const SEEDS = 2 ** 32;

/** A small generator of 32 bits of state (splitmix32): not secret, and seeds side by side give numbers that have nothing in common. */
export class Random {
  #state: number;

  /** @param seed a whole number from 0 to `SEEDS` - 1 */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from 0 to `count` - 1; 0 where `count` is not above 1. */
  below(count: number): number {
    return count <= 1 ? 0 : this.uint32() % count;
  }

  /** True `percent` times in a hundred. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** One of these. @throws Error when there is none */
  pick<T>(choices: readonly T[]): T {
    const at = this.below(choices.length);
    if (at >= choices.length) throw new Error('there is nothing to pick from');
    return choices[at] as T;
  }

  /** Bytes of any value. */
  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.below(256);
    return bytes;
  }
}
