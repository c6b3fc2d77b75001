/**
 * What the gate dropped: reads the kernel's set of denied peers and ports and its counter, and says what is new since
 * the last time. No packet is read.
 */
import type { Direction, Protocol } from '../../policy/index.ts';
import { runNft } from './nft.ts';
import { GATE_TABLE_JSON } from './ruleset.ts';

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

const PROTOCOLS: Readonly<Record<string, Protocol>> = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' };

/** The JSON of nft 1.0, as far as it is read here; libnftables-json(5). */
interface ListedObject {
  readonly set?: {
    readonly elem?: readonly {
      readonly elem?: {
        readonly val?: string | number | { readonly concat?: readonly unknown[] };
        readonly counter?: { readonly packets?: number };
      };
    }[];
  };
}

/** Reads one direction's sets again and again; remembers what it has reported. */
export class DeniedReader {
  /** How the direction's objects in the gate's table begin. */
  readonly #prefix: 'in' | 'out';
  /** Packets already reported, by element. */
  #reported = new Map<string, number>();
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
   * Reads the totals, and the peers only when they have moved: a quiet gate costs one short process.
   * @throws SluiceError `GATE_*` when the gate cannot be read
   */
  async read(): Promise<DeniedReading> {
    const totals = await elements(`${this.#prefix}_dropped`);
    const dropped = totals.reduce((sum, { packets }) => sum + packets, 0);
    if (dropped === this.#dropped) return { peers: [], packets: 0, unattributed: 0 };
    const seen = new Map<string, number>();
    const peers: DeniedPeer[] = [];
    for (const family of [4, 6]) {
      for (const { value, packets: total } of await elements(`${this.#prefix}_denied${family}`)) {
        const [address, protocol, port] = value;
        const known = PROTOCOLS[String(protocol)];
        if (known === undefined || typeof address !== 'string' || typeof port !== 'number') continue;
        const key = `${address} ${known} ${port}`;
        seen.set(key, total);
        const before = this.#reported.get(key) ?? 0;
        // An element that expired and came back starts at one again.
        const packets = total >= before ? total - before : total;
        if (packets === 0) continue;
        this.#attributed += packets;
        peers.push({ address, protocol: known, port, packets });
      }
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

/**
 * Elements of a set with their packet counts. One set at a time: nft 1.0.6 fails when several are asked for together,
 * and it loads the whole ruleset for a counter or a chain, but not for a set. Source: libnftables-json(5).
 */
async function elements(name: string): Promise<readonly { value: readonly unknown[]; packets: number }[]> {
  const command = { nftables: [{ list: { set: { ...GATE_TABLE_JSON, name } } }] };
  const { nftables } = JSON.parse(await runNft(JSON.stringify(command), { json: true })) as {
    nftables: readonly ListedObject[];
  };
  return nftables.flatMap(({ set }) =>
    (set?.elem ?? []).map(({ elem }) => {
      const { val, counter } = elem ?? {};
      const value = typeof val === 'object' ? (val.concat ?? []) : [val];
      return { value, packets: counter?.packets ?? 0 };
    }),
  );
}
