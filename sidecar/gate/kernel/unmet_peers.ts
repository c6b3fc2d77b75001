/**
 * Whom the gate keeps out though a partial group may have them: reads the kernel's sets of such peers again and again, so that they
 * are asked about before they send their next packet.
 */
import { asError } from '../../../common/errno.ts';
import type { Direction } from '../../../policy/index.ts';
import { addressText, countedElements } from '../../kernel/index.ts';
import { FAMILIES, GATE_TABLE_NAME } from './names.ts';
import { unmetSetName } from './unmet_rules.ts';

/** How often the sets are read, ms: an answer is there long before a client sends its SYN again, after 1 s. */
const READ_INTERVAL_MS = 100;

/** Reading takes this part of the time at most, also when the sets are full. */
const READING_SHARE = 0.1;

/** Where peers are reported. */
export interface UnmetSink {
  /** Whether there can be any. */
  active(): boolean;
  /** These have sent packets since the last reading, or are sent packets; those with most packets first. */
  unmet(addresses: readonly string[]): void;
  /** The gate could not be read. */
  unreadable(error: Error): void;
}

/** Reads one direction's sets until `close`. */
export class UnmetPeers {
  readonly #direction: Direction;
  readonly #sink: UnmetSink;
  /** Packets of each peer at the last reading. */
  #counted: ReadonlyMap<string, number> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(direction: Direction, sink: UnmetSink) {
    this.#direction = direction;
    this.#sink = sink;
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
    if (!this.#sink.active()) return;
    const counted = new Map<string, number>();
    try {
      for (const family of FAMILIES) {
        const set = unmetSetName(this.#direction, family);
        for (const { key, packets } of await countedElements(GATE_TABLE_NAME, set))
          counted.set(addressText(key), packets);
      }
    } catch (error) {
      return this.#sink.unreadable(asError(error));
    }
    const before = this.#counted;
    this.#counted = counted;
    // Who has sent nothing for a second is not in the set, so that a lower count, or one of a new entry, is news.
    const fresh = [...counted].flatMap(([address, packets]) => {
      const more = packets - (before.get(address) ?? 0);
      return more === 0 ? [] : [{ address, packets: more > 0 ? more : packets }];
    });
    if (fresh.length === 0) return;
    fresh.sort((a, b) => b.packets - a.packets);
    this.#sink.unmet(fresh.map(({ address }) => address));
  }
}
