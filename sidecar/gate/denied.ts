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
        readonly val?: { readonly concat?: readonly unknown[] };
        readonly counter?: { readonly packets?: number };
      };
    }[];
  };
  readonly counter?: { readonly packets?: number };
}

/** Reads one direction's set again and again; remembers what it has reported. */
export class DeniedReader {
  /** How the direction's objects in the gate's table begin. */
  readonly #prefix: 'in' | 'out';
  /** Packets already reported, by element. */
  #reported = new Map<string, number>();
  #dropped = 0;

  constructor(direction: Direction) {
    this.#prefix = direction === 'ingress' ? 'in' : 'out';
  }

  /**
   * Reads the counter, and the sets only when it has moved: a quiet gate costs one short process.
   * @throws SluiceError `GATE_*` when the gate cannot be read
   */
  async read(): Promise<DeniedReading> {
    const total = (await list('counter', `${this.#prefix}_dropped`))[0]?.counter?.packets ?? 0;
    if (total === this.#dropped) return { peers: [], packets: 0, unattributed: 0 };
    const objects = [
      ...(await list('set', `${this.#prefix}_denied4`)),
      ...(await list('set', `${this.#prefix}_denied6`)),
    ];
    const seen = new Map<string, number>();
    const peers: DeniedPeer[] = [];
    let attributed = 0;
    for (const { set } of objects) {
      for (const { elem } of set?.elem ?? []) {
        const [address, protocol, port] = elem?.val?.concat ?? [];
        const total = elem?.counter?.packets ?? 0;
        const known = PROTOCOLS[String(protocol)];
        if (known === undefined || typeof address !== 'string' || typeof port !== 'number') continue;
        const key = `${address} ${known} ${port}`;
        seen.set(key, total);
        const before = this.#reported.get(key) ?? 0;
        // An element that expired and came back starts at one again.
        const packets = total >= before ? total - before : total;
        if (packets === 0) continue;
        attributed += packets;
        peers.push({ address, protocol: known, port, packets });
      }
    }
    const packets = total >= this.#dropped ? total - this.#dropped : total;
    this.#reported = seen;
    this.#dropped = total;
    return { peers, packets, unattributed: Math.max(0, packets - attributed) };
  }
}

/**
 * One object of the gate's table. One at a time: nft 1.0.6 fails when several are asked for together.
 * Source: libnftables-json(5).
 */
async function list(kind: 'set' | 'counter', name: string): Promise<readonly ListedObject[]> {
  const command = { nftables: [{ list: { [kind]: { ...GATE_TABLE_JSON, name } } }] };
  const output = await runNft(JSON.stringify(command), { json: true });
  const { nftables } = JSON.parse(output) as { nftables: readonly ListedObject[] };
  return nftables.filter((object) => object.set !== undefined || object.counter !== undefined);
}
