/** How many connections may be on their way in at once: anybody who reaches the port can open one. */

/** Bounds on connections that have not logged in. A pod has one sidecar, so that one address needs few. */
export interface LoginLimits {
  /** From one address. Sidecars behind one address (a NAT) take turns: who is refused tries again. */
  readonly maxPerAddress: number;
  /** From all addresses. A handshake is about a millisecond of work, and some 50 kB. */
  readonly maxTotal: number;
}

/** What is allowed unless told otherwise. */
export const DEFAULT_LOGIN_LIMITS: LoginLimits = { maxPerAddress: 16, maxTotal: 512 };

/** Counts the places taken. */
export class LoginPlaces {
  readonly #limits: LoginLimits;
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: LoginLimits) {
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
