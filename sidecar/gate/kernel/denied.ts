/**
 * What the gate dropped: reads the kernel's set of denied peers and ports and its counter, and says what is new since
 * the last time. No packet is read.
 */
import type { Direction, Protocol } from '../../../policy/index.ts';
import { addressText, countedElements, PROTOCOL_BY_NUMBER, portAt } from '../../kernel/index.ts';
import { FAMILIES, GATE_TABLE_NAME } from './names.ts';
import { DENIED_TIMEOUT_SECONDS } from './ruleset.ts';

/** New drops of one peer at one port: the pod's own port, or for egress the peer's. */
export interface DeniedPeer {
  readonly address: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Packets since the last reading; retransmissions count. */
  readonly packets: number;
}

/** One reading. */
export interface DeniedReading {
  readonly peers: readonly DeniedPeer[];
  /** All packets the gate dropped since the last reading. */
  readonly packets: number;
  /** Those of `packets` that no peer stands for: other protocols, or more peers than the set holds. */
  readonly unattributed: number;
}

const NOTHING_NEW: DeniedReading = { peers: [], packets: 0, unattributed: 0 };

/** How long the kernel keeps an element after its last packet. */
const LIFE_MS = DENIED_TIMEOUT_SECONDS * 1000;

/** What an element stood at when it was last reported. */
interface Reported {
  readonly packets: number;
  /** Its last packet came before; performance.now(). */
  readonly atMs: number;
}

/** Reads one direction's sets again and again; remembers what it has reported. */
export class DeniedReader {
  /** How the direction's objects in the gate's table begin. */
  readonly #prefix: 'in' | 'out';
  /** By element, for as long as it can be there: a reading may miss one. */
  #reported = new Map<string, Reported>();
  /** All packets the kernel has counted, and all that peers stood for, in this table's life. */
  #dropped = 0;
  #attributed = 0;
  #unattributed = 0;

  constructor(direction: Direction) {
    this.#prefix = direction === 'ingress' ? 'in' : 'out';
  }

  /** The gate's table has been replaced: its counters begin at zero. */
  reset(): void {
    this.#reported = new Map();
    this.#dropped = 0;
    this.#attributed = 0;
    this.#unattributed = 0;
  }

  /**
   * Reads the totals, and the peers only when they have moved.
   * @throws SluiceError `NETLINK_*` when the gate cannot be read
   */
  async read(): Promise<DeniedReading> {
    const [reported, startedAtMs] = [this.#reported, performance.now()];
    const totals = await countedElements(GATE_TABLE_NAME, `${this.#prefix}_dropped`);
    const dropped = totals.reduce((sum, { packets }) => sum + packets, 0);
    if (dropped === this.#dropped) return NOTHING_NEW;
    const seen = new Map<string, DeniedPeer>();
    for (const family of FAMILIES) {
      const set = `${this.#prefix}_denied${family}`;
      for (const { key, packets } of await countedElements(GATE_TABLE_NAME, set)) {
        const peer = deniedPeer(key, packets);
        if (peer !== undefined) seen.set(`${peer.address} ${peer.protocol} ${peer.port}`, peer);
      }
    }
    if (reported !== this.#reported) return NOTHING_NEW; // a part of this is of the table before
    const atMs = performance.now();
    const peers: DeniedPeer[] = [];
    for (const [key, peer] of seen) {
      const packets = newPackets(peer.packets, reported.get(key), startedAtMs);
      if (packets === 0) continue;
      reported.set(key, { packets: peer.packets, atMs });
      this.#attributed += packets;
      peers.push({ ...peer, packets });
    }
    for (const [key, last] of reported) {
      if (!seen.has(key) && startedAtMs - last.atMs > LIFE_MS) reported.delete(key);
    }
    const packets = dropped - this.#dropped;
    this.#dropped = dropped;
    return { peers, packets, unattributed: this.#newlyUnattributed() };
  }

  /** The totals are read first, so peers may be ahead of them: only what stays missing is nobody's. */
  #newlyUnattributed(): number {
    const missing = Math.max(this.#unattributed, this.#dropped - this.#attributed);
    const grown = missing - this.#unattributed;
    this.#unattributed = missing;
    return grown;
  }
}

/**
 * Packets since `last`. An element that has expired and come back counts from one again. That shows when its count is lower than
 * before, or is the same for longer than an element lives without packets.
 */
function newPackets(total: number, last: Reported | undefined, nowMs: number): number {
  if (last === undefined || total < last.packets) return total;
  if (total === last.packets && nowMs - last.atMs > LIFE_MS) return total;
  return total - last.packets;
}

/** @param key `10.0.0.3 . udp . 53`, each part from a multiple of four bytes on */
function deniedPeer(key: Uint8Array, packets: number): DeniedPeer | undefined {
  const end = key.length - 8; // of the address
  const protocol = PROTOCOL_BY_NUMBER[key[end] ?? 0];
  if (protocol === undefined) return undefined;
  return { address: addressText(key, 0, end), protocol, port: portAt(key, end + 4), packets };
}
