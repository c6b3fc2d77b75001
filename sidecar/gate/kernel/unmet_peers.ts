/**
 * Whom the gate keeps out though a partial group may have them: reads the kernel's sets of such peers again and again, so that they
 * are asked about before they send their next packet.
 */
import { asError } from '../../../common/errno.ts';
import type { Direction } from '../../../policy/index.ts';
import { addressText, countedElements } from '../../kernel/index.ts';
import { FAMILIES, GATE_TABLE_NAME } from './names.ts';
import { UNMET_SECONDS, UNMET_TOTALS, unmetSetName } from './unmet_rules.ts';

/** How often it is looked for packets, ms: an answer is there long before a client sends its SYN again, after 1 s. */
const READ_INTERVAL_MS = 100;

/** Reading takes this part of the time at most, also when the sets are full. */
const READING_SHARE = 0.1;

const NOBODY: ReadonlyMap<string, number> = new Map();

const MS_PER_SECOND = 1000;

/** Where peers of one direction are reported. */
export interface UnmetSink {
  /** Whether there can be any. */
  active(): boolean;
  /** These have sent packets since the last reading, or are sent packets; those with most packets first. */
  unmet(addresses: readonly string[]): void;
  /** The gate could not be read. */
  unreadable(error: Error): void;
}

/** Reads the sets of both directions until `close`. */
export class UnmetPeers {
  readonly #readers: readonly SetReader[];
  /** Of both directions, at the last reading. */
  #packets = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(sinks: Readonly<Record<Direction, UnmetSink>>) {
    this.#readers = [new SetReader('ingress', sinks.ingress), new SetReader('egress', sinks.egress)];
  }

  /** Reads now, and again after each interval. */
  async start(): Promise<void> {
    const beganMs = performance.now();
    await this.#read();
    const tookMs = performance.now() - beganMs;
    const pauseMs = Math.max(READ_INTERVAL_MS, tookMs / READING_SHARE - tookMs);
    if (!this.#closed) this.#timer = setTimeout(() => void this.start(), pauseMs);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    const readers = this.#readers.filter(({ sink }) => sink.active());
    const [first] = readers;
    if (first === undefined) return;
    try {
      const totals = await countedElements(GATE_TABLE_NAME, UNMET_TOTALS);
      const packets = totals.reduce((sum, one) => sum + one.packets, 0);
      if (packets === this.#packets) return;
      this.#packets = packets;
      for (const reader of readers) await reader.read();
    } catch (error) {
      first.sink.unreadable(asError(error));
    }
  }
}

/** Reads the sets of one direction. */
class SetReader {
  readonly sink: UnmetSink;
  readonly #direction: Direction;
  /** Packets of each peer at the last reading. */
  #counted = NOBODY;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(direction: Direction, sink: UnmetSink) {
    this.#direction = direction;
    this.sink = sink;
  }

  async read(): Promise<void> {
    const now = performance.now();
    const counted = new Map<string, number>();
    for (const family of FAMILIES) {
      const set = unmetSetName(this.#direction, family);
      for (const { key, packets } of await countedElements(GATE_TABLE_NAME, set))
        counted.set(addressText(key), packets);
    }
    // An entry goes with time. After so long each one that is there is a new one, or has had packets.
    const before = now - this.#readAtMs < UNMET_SECONDS * MS_PER_SECOND ? this.#counted : NOBODY;
    this.#counted = counted;
    this.#readAtMs = now;
    const fresh = [...counted].flatMap(([address, packets]) => {
      const more = packets - (before.get(address) ?? 0);
      return more === 0 ? [] : [{ address, packets: more > 0 ? more : packets }];
    });
    if (fresh.length === 0) return;
    fresh.sort((a, b) => b.packets - a.packets);
    this.sink.unmet(fresh.map(({ address }) => address));
  }
}
