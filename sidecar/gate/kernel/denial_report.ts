/**
 * Turns what the gate dropped into the same records as the proxy's refusals: grouped by peer and port, and limited in rate.
 * One more line counts what is over the limit.
 */
import { asError } from '../../../common/errno.ts';
import type { Direction } from '../../../policy/index.ts';
import { type DeniedPeer, DeniedReader, type DeniedReading } from './denied.ts';

/** How often the set is read. */
const READ_INTERVAL_MS = 2_000;

/** Most records of one reading: those with most packets. */
const RECORDS_MAX = 50;

/** A peer that keeps knocking gets a record at first, then one per interval with the packets since. */
const REPEAT_MS = 30_000;

/** Where reports go. */
export interface DenialSink {
  /** Whether there can be anything: reading is left out where the pod is not isolated. */
  active(): boolean;
  /**
   * Whether policy may allow some of these after all: resolves when it is known, soon. They are reported then; `undefined`: it is
   * known already.
   */
  ask(peers: readonly DeniedPeer[]): Promise<void> | undefined;
  /** One peer at one port, with the packets dropped since its last record. */
  denied(peer: DeniedPeer): void;
  /** Drops without a record of their own. */
  more(summary: { readonly peers: number; readonly packets: number }): void;
  /** All packets of a reading. */
  dropped(packets: number): void;
  /** The gate could not be read: its rules may be gone, or they were just being replaced. */
  unreadable(error: Error): void;
}

/** A peer at a port. The kernel's set bounds how many there are at once. */
interface Peer {
  readonly peer: DeniedPeer;
  reportedAtMs: number;
  /** Dropped since the last record. */
  packets: number;
}

/** Reads and reports until `close`. */
export class DenialReport {
  readonly #sink: DenialSink;
  readonly #reader: DeniedReader;
  readonly #peers = new Map<string, Peer>();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  /** What was asked before the last records. */
  #asked: Promise<void> | undefined;
  #closed = false;

  constructor(direction: Direction, sink: DenialSink) {
    this.#sink = sink;
    this.#reader = new DeniedReader(direction);
  }

  /** Reads now, and again after each interval. */
  async start(): Promise<void> {
    await this.collect();
    if (!this.#closed) this.#timer = setTimeout(() => void this.start(), READ_INTERVAL_MS);
  }

  /** Stops, and reports what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.collect();
    await this.#asked;
  }

  /** The gate's table has been replaced: its counters begin at zero. */
  reset(): void {
    this.#reader.reset();
  }

  /** One reading and its records; those that wait for an answer come later. Never rejects. */
  async collect(): Promise<void> {
    // One reading at a time: two would report the same packets.
    this.#reading ??= this.#collect().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #collect(): Promise<void> {
    if (!this.#sink.active()) return;
    let reading: DeniedReading;
    try {
      reading = await this.#reader.read();
    } catch (error) {
      this.#sink.unreadable(asError(error));
      return;
    }
    if (reading.packets > 0) this.#sink.dropped(reading.packets);
    this.#report(reading);
  }

  #report({ peers, unattributed }: DeniedReading): void {
    for (const peer of peers) {
      const key = `${peer.address} ${peer.protocol} ${peer.port}`;
      const known = this.#peers.get(key);
      if (known === undefined)
        this.#peers.set(key, { peer, reportedAtMs: Number.NEGATIVE_INFINITY, packets: peer.packets });
      else known.packets += peer.packets;
    }
    const now = performance.now();
    const due: [string, Peer][] = [];
    for (const [key, known] of this.#peers) {
      if (now - known.reportedAtMs < REPEAT_MS && !this.#closed) continue;
      if (known.packets > 0) due.push([key, known]);
      else this.#peers.delete(key);
    }
    due.sort(([, a], [, b]) => b.packets - a.packets);
    const records = due.slice(0, RECORDS_MAX).map(([, known]) => {
      const record = { ...known.peer, packets: known.packets };
      known.reportedAtMs = now;
      known.packets = 0;
      return record;
    });
    const write = (): void => {
      for (const record of records) this.#sink.denied(record);
    };
    const asked = records.length === 0 ? undefined : this.#sink.ask(records);
    if (asked === undefined) write();
    else this.#asked = asked.then(write);
    const over = due.slice(RECORDS_MAX);
    for (const [key] of over) this.#peers.delete(key);
    const packets = over.reduce((sum, [, known]) => sum + known.packets, unattributed);
    if (packets > 0) this.#sink.more({ peers: over.length, packets });
  }
}
