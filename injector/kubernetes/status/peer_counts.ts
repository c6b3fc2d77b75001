/** What the other replicas' sidecars enforce: a sidecar is connected to one of them, and the one that writes has to add up. */
import { askReplica } from '../replicas/index.ts';
import { type CountsKnown, countsShape, NOTHING_KNOWN, type ReplicaCounts } from './replica_counts.ts';

/** A replica that has more to say is asked again for this long, ms; the rest waits for the next time. */
const ASK_ON_MS = 1_000;

/** Path of the counts on the status port. */
const ENFORCING_PATH = '/enforcing';

/** What is known of one replica. */
interface Peer {
  readonly replica: string;
  readonly known: CountsKnown;
  /** By UID and generation; no zeros. */
  readonly counts: Map<string, number>;
}

/** Of all replicas but this one. They are asked for what has changed since they were asked last. */
export class PeerCounts {
  readonly #own: string;
  readonly #port: number;
  /** By address. */
  readonly #peers = new Map<string, Peer>();

  /**
   * @param own the name of this replica
   * @param port at which replicas answer
   */
  constructor(own: string, port: number) {
    this.#own = own;
    this.#port = port;
  }

  /** How many pods enforce a policy in this wording, `UID/GENERATION`, through the other replicas. */
  of(version: string): number {
    let sum = 0;
    const added = new Set<string>();
    for (const { replica, counts } of this.#peers.values()) {
      if (replica === this.#own || added.has(replica)) continue; // one replica may have an address of each family
      added.add(replica);
      sum += counts.get(version) ?? 0;
    }
    return sum;
  }

  /**
   * Asks the replicas at these addresses. Those that do not answer count for nothing until they do.
   * @returns wordings of policies, `UID/GENERATION`, whose counts may be others now
   */
  async ask(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    const changed = new Set<string>();
    for (const address of this.#peers.keys()) if (!addresses.includes(address)) this.#drop(address, changed);
    await Promise.all(
      addresses.map((address) => this.#askOne(address, changed).catch(() => this.#drop(address, changed))),
    );
    return changed;
  }

  async #askOne(address: string, changed: Set<string>): Promise<void> {
    const endMs = performance.now() + ASK_ON_MS;
    let hasMore = true;
    while (hasMore && performance.now() < endMs) {
      const answer = await ask(address, this.#port, this.#peers.get(address)?.known ?? NOTHING_KNOWN);
      this.#take(address, answer, changed);
      hasMore = answer.more === true;
    }
  }

  #take(address: string, answer: ReplicaCounts, changed: Set<string>): void {
    const { replica, enforcing, run = '', from = 0, to = 0 } = answer;
    const before = this.#peers.get(address);
    const goesOn = before !== undefined && before.known.run === run && from > 0 && before.known.at === from;
    if (!goesOn) this.#drop(address, changed);
    const counts = goesOn ? before.counts : new Map<string, number>();
    // Its own counts are known better, and are not kept.
    if (replica !== this.#own)
      for (const [version, count] of Object.entries(enforcing)) {
        changed.add(version);
        if (count === 0) counts.delete(version);
        else counts.set(version, count);
      }
    this.#peers.set(address, { replica, known: { run, at: to }, counts });
  }

  #drop(address: string, changed: Set<string>): void {
    for (const version of this.#peers.get(address)?.counts.keys() ?? []) changed.add(version);
    this.#peers.delete(address);
  }

  /** No policy has this wording any more. */
  forget(version: string): void {
    for (const { counts } of this.#peers.values()) counts.delete(version);
  }
}

function ask(address: string, port: number, { run, at }: CountsKnown): Promise<ReplicaCounts> {
  const path = `${ENFORCING_PATH}?run=${encodeURIComponent(run)}&since=${at}`;
  return askReplica<ReplicaCounts>(address, port, { path, shape: countsShape });
}
