/**
 * What the gate dropped: reads the kernel's set of denied peers and ports and its counter, and says what is new since
 * the last time. No packet is read.
 */
import type { Direction, Protocol } from '../../policy/index.ts';
import { addressText, portAt } from '../netlink/address_bytes.ts';
import { countedElements } from '../netlink/nft_elements.ts';
import { GATE_TABLE_NAME } from './ruleset.ts';

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

const PROTOCOLS: Readonly<Record<number, Protocol>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };

/** Reads one direction's sets again and again; remembers what it has reported. */
export class DeniedReader {
  /** How the direction's objects in the gate's table begin. */
  readonly #prefix: 'in' | 'out';
  /** What each element stood at when it was reported. */
  #reported: ReadonlyMap<string, DeniedPeer> = new Map();
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
    const totals = await countedElements(GATE_TABLE_NAME, `${this.#prefix}_dropped`);
    const dropped = totals.reduce((sum, { packets }) => sum + packets, 0);
    if (dropped === this.#dropped) return { peers: [], packets: 0, unattributed: 0 };
    const seen = new Map<string, DeniedPeer>();
    for (const family of [4, 6]) {
      const set = `${this.#prefix}_denied${family}`;
      for (const { key, packets } of await countedElements(GATE_TABLE_NAME, set)) {
        const peer = deniedPeer(key, packets);
        if (peer !== undefined) seen.set(`${peer.address} ${peer.protocol} ${peer.port}`, peer);
      }
    }
    const peers: DeniedPeer[] = [];
    for (const [key, { packets: total, ...peer }] of seen) {
      const before = this.#reported.get(key)?.packets ?? 0;
      // An element that expired and came back starts at one again.
      const packets = total >= before ? total - before : total;
      if (packets === 0) continue;
      this.#attributed += packets;
      peers.push({ ...peer, packets });
    }
    const packets = dropped - this.#dropped;
    this.#reported = seen;
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

/** @param key `10.0.0.3 . udp . 53`, each part from a multiple of four bytes on */
function deniedPeer(key: Uint8Array, packets: number): DeniedPeer | undefined {
  const end = key.length - 8; // of the address
  const protocol = PROTOCOLS[key[end] ?? 0];
  if (protocol === undefined) return undefined;
  return { address: addressText(key.subarray(0, end)), protocol, port: portAt(key, end + 4), packets };
}
