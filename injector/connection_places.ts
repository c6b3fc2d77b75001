/** How many connections of strangers there may be at once: anybody who reaches a port can open one. */

/** Bounds on connections. */
export interface PlaceLimits {
  /** From one address, so that one alone cannot take all places. Who is refused tries again. */
  readonly maxPerAddress: number;
  /** From all addresses. A handshake is about a millisecond of work, and some 50 kB. */
  readonly maxTotal: number;
}

/** Counts the places taken. */
export class ConnectionPlaces {
  readonly #limits: PlaceLimits;
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Takes a place. @returns how to give it back, any number of times; undefined when there is none */
  take(address: string): (() => void) | undefined {
    const taken = this.#byAddress.get(address) ?? 0;
    if (taken >= this.#limits.maxPerAddress || this.#total >= this.#limits.maxTotal) return undefined;
    this.#byAddress.set(address, taken + 1);
    this.#total += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#total -= 1;
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    };
  }
}
