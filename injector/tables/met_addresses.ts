/** Which sidecars have met which pods' addresses: who is to hear when one of them changes. */

const NOBODY: ReadonlySet<never> = new Set<never>();

/** Sessions by the addresses that they have met in large groups. */
export class MetAddresses<Session> {
  readonly #sessions = new Map<string, Set<Session>>();
  #size = 0;

  /** How many there are, those of each session counted for itself. */
  get size(): number {
    return this.#size;
  }

  /** Those that have met an address. */
  sessions(address: string): ReadonlySet<Session> {
    return this.#sessions.get(address) ?? NOBODY;
  }

  /** A session has met an address that it had not met. */
  add(address: string, session: Session): void {
    const sessions = this.#sessions.get(address) ?? new Set<Session>();
    this.#sessions.set(address, sessions.add(session));
    this.#size += 1;
  }

  /** Undoes one `add`. */
  delete(address: string, session: Session): void {
    const sessions = this.#sessions.get(address);
    if (!sessions?.delete(session)) return;
    this.#size -= 1;
    if (sessions.size === 0) this.#sessions.delete(address);
  }
}
