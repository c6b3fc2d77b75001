/** How much each user may have under way: all come from the API servers' addresses, so that an address says nothing of who it is. */

/** Bounds on what is under way at once. */
export interface UserLimits {
  readonly perUser: number;
  readonly total: number;
}

/** Counts what is under way. */
export class UserPlaces {
  readonly #limits: UserLimits;
  readonly #byUser = new Map<string, number>();
  #total = 0;

  constructor(limits: UserLimits) {
    this.#limits = limits;
  }

  /** @returns how to give the place back; to be called once. Undefined: there is none */
  take(user: string): (() => void) | undefined {
    const own = this.#byUser.get(user) ?? 0;
    if (own >= this.#limits.perUser || this.#total >= this.#limits.total) return undefined;
    this.#byUser.set(user, own + 1);
    this.#total += 1;
    return () => {
      this.#total -= 1;
      const left = (this.#byUser.get(user) ?? 1) - 1;
      if (left === 0) this.#byUser.delete(user);
      else this.#byUser.set(user, left);
    };
  }
}
