/** How many connections of strangers there may be at once: anybody who reaches a port can open one. */

/** Bounds on connections. */
export interface PlaceLimits {
  /** From one address, so that one alone cannot take all places. */
  readonly maxPerAddress: number;
  /** From all addresses. A handshake is about a millisecond of work, and some 50 kB. */
  readonly maxTotal: number;
  /**
   * Decides what a new connection gets where its own address would have to make room. `true`: the place of one that has shown
   * nothing of itself yet, else none. Default: that of any one that has not settled. Where another address makes room, it is
   * always any one that has not settled.
   */
  readonly sparesOwn?: boolean;
}

/** The place of one connection. */
export interface Place {
  /** Its connection has shown more of itself: those that have shown less make room first. */
  rise(): void;
  /** From now on it keeps its place. `settle(false)` takes that back: it is then the youngest of those that have shown nothing. */
  settle(settled?: boolean): void;
  /** Gives the place back; any number of times. */
  leave(): void;
}

interface Held {
  readonly makeRoom: () => void;
  rank: number;
  settled: boolean;
  /** When it was taken, or last became unsettled; a count. */
  since: number;
}

/** The connections of one address. */
interface Account {
  readonly held: Set<Held>;
  /** Where it stands in line to make room; absent: none of its connections can. */
  line?: number;
}

/** Connections that have shown as much as this, or more, are alike. */
const MOST_RANK = 3;

/**
 * Gives out places. Who is silent cannot keep others out: where there is no place left, the address that has the most makes
 * room, with the connection that has shown the least of itself; of several with the oldest. Of several addresses it is the one with the
 * connection that has shown least, and then the one that has been in that line for longest: to compare thousands takes time.
 */
export class ConnectionPlaces {
  readonly #limits: PlaceLimits;
  readonly #byAddress = new Map<string, Account>();
  /** Addresses that can make room, by line: a higher one makes room first. None is empty. */
  readonly #lines = new Map<number, Set<string>>();
  #total = 0;
  #count = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a place.
   * @param makeRoom ends the connection: another one has its place now
   * @returns undefined when there is none, as none of those that are taken can make room
   */
  take(address: string, makeRoom: () => void): Place | undefined {
    if (!this.#hasRoom(address)) return undefined;
    this.#count += 1;
    const held: Held = { makeRoom, rank: 0, settled: false, since: this.#count };
    const account = this.#byAddress.get(address) ?? { held: new Set() };
    this.#byAddress.set(address, account);
    account.held.add(held);
    this.#total += 1;
    this.#putInLine(address, account);
    return {
      rise: () => {
        held.rank += 1;
        this.#putInLine(address, account);
      },
      settle: (settled = true) => {
        this.#count += 1;
        held.settled = settled;
        if (!settled) held.rank = 0;
        held.since = this.#count;
        this.#putInLine(address, account);
      },
      leave: () => this.#leave(address, held),
    };
  }

  /** Makes room where there is none. */
  #hasRoom(address: string): boolean {
    const { maxPerAddress, maxTotal, sparesOwn = false } = this.#limits;
    const own = this.#byAddress.get(address)?.held.size ?? 0;
    if (own < maxPerAddress && this.#total < maxTotal) return true;
    const largest = own < maxPerAddress ? this.#largest() : address;
    const isOwn = own >= (this.#byAddress.get(largest ?? address)?.held.size ?? 0);
    return isOwn && sparesOwn ? this.#evict(address, 0) : this.#evict(largest, Number.POSITIVE_INFINITY);
  }

  /** The address that has the most places of those that can make room. */
  #largest(): string | undefined {
    let highest = Number.NEGATIVE_INFINITY;
    for (const line of this.#lines.keys()) highest = Math.max(highest, line);
    const [first] = this.#lines.get(highest) ?? [];
    return first;
  }

  #evict(address: string | undefined, maxRank: number): boolean {
    const next = address === undefined ? undefined : nextToGo(this.#byAddress.get(address)?.held ?? []);
    if (address === undefined || next === undefined || next.rank > maxRank) return false;
    this.#leave(address, next);
    next.makeRoom();
    return true;
  }

  #leave(address: string, held: Held): void {
    const account = this.#byAddress.get(address);
    if (account?.held.delete(held) !== true) return;
    this.#total -= 1;
    this.#putInLine(address, account);
    if (account.held.size === 0) this.#byAddress.delete(address);
  }

  /** By how many connections it has, and then by how little the one has shown that would go. */
  #putInLine(address: string, account: Account): void {
    if (this.#byAddress.get(address) !== account) return; // all of its connections have left
    const next = nextToGo(account.held);
    const line = next && account.held.size * (MOST_RANK + 1) + MOST_RANK - Math.min(next.rank, MOST_RANK);
    const { line: before } = account;
    if (line === before) return;
    if (before !== undefined) {
      const left = this.#lines.get(before);
      left?.delete(address);
      if (left?.size === 0) this.#lines.delete(before);
    }
    if (line === undefined) delete account.line;
    else {
      account.line = line;
      const standing = this.#lines.get(line) ?? new Set();
      this.#lines.set(line, standing.add(address));
    }
  }
}

function nextToGo(held: Iterable<Held>): Held | undefined {
  let next: Held | undefined;
  for (const one of held) if (!one.settled && (next === undefined || goesBefore(one, next))) next = one;
  return next;
}

function goesBefore(one: Held, other: Held): boolean {
  return one.rank === other.rank ? one.since < other.since : one.rank < other.rank;
}
