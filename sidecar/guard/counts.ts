/** What the guard has dropped: reads the kernel's counters. No packet is read. */
import { addressText, type CountedElement, countedElements } from '../kernel/index.ts';
import type { GuardPart } from './plan.ts';
import { FORGED_FRAMES, GUARD_REASONS, GUARD_TABLE_NAME, type GuardReason, REASONS } from './ruleset.ts';

/** New drops since the last reading. */
export interface GuardDrops {
  readonly reason: GuardReason;
  readonly packets: number;
  /** Sources of late, as far as they are kept; with the link-layer address where that is what was wrong. */
  readonly sources: readonly string[];
}

/** One reading. */
export interface GuardReading {
  readonly drops: readonly GuardDrops[];
  /** As `properPackets` has it. */
  readonly proper: ReadonlyMap<string, number>;
}

/** Most sources that one reading names. */
const SOURCES_MAX = 8;

/** Bytes of a link-layer address. */
const LINK_BYTES = 6;

/** Reads again and again; says what is new. */
export class GuardCounts {
  readonly #before = new Map<string, number>();

  /** A table has been replaced: its counters begin at zero. */
  reset(part: GuardPart): void {
    for (const key of this.#before.keys()) if (key.startsWith(`${part} `)) this.#before.delete(key);
  }

  /**
   * @param withFrames whether there is a table for frames
   * @throws SluiceError `NETLINK_*` when the guard cannot be read
   */
  async read(withFrames: boolean): Promise<GuardReading> {
    const drops: GuardDrops[] = [];
    for (const reason of GUARD_REASONS) {
      const set = REASONS[reason];
      let packets = this.#since(`packets ${set}`, await countedElements(GUARD_TABLE_NAME, set));
      if (reason === 'forged-source' && withFrames) {
        const frames = await countedElements(GUARD_TABLE_NAME, FORGED_FRAMES, 'netdev');
        packets += this.#since(`frames ${FORGED_FRAMES}`, frames);
      }
      if (packets > 0) drops.push({ reason, packets, sources: await shown(set) });
    }
    return { drops, proper: await properPackets() };
  }

  #since(key: string, elements: readonly CountedElement[]): number {
    const total = elements.reduce((sum, { packets }) => sum + packets, 0);
    const before = this.#before.get(key) ?? 0;
    this.#before.set(key, total);
    return total - before;
  }
}

/**
 * Packets so far by address of the node, from the link-layer address that is bound to it.
 * @throws SluiceError `NETLINK_*` when the guard cannot be read
 */
export async function properPackets(): Promise<ReadonlyMap<string, number>> {
  const bound = [
    ...(await countedElements(GUARD_TABLE_NAME, 'bound4')),
    ...(await countedElements(GUARD_TABLE_NAME, 'bound6')),
  ];
  return new Map(bound.map(({ key, packets }) => [addressOf(key), packets]));
}

/** Not every reason has addresses of interest. */
async function shown(set: string): Promise<readonly string[]> {
  if (set !== REASONS['forged-source'] && set !== REASONS['forged-node']) return [];
  const found = [
    ...(await countedElements(GUARD_TABLE_NAME, `${set}_shown4`)),
    ...(await countedElements(GUARD_TABLE_NAME, `${set}_shown6`)),
  ];
  found.sort((a, b) => b.packets - a.packets);
  return found.slice(0, SOURCES_MAX).map(({ key }) => sourceText(key));
}

/** `10.0.0.1`, or `10.0.0.1 at 02:42:0a:00:00:01`. */
function sourceText(key: Uint8Array): string {
  const link = linkOf(key);
  return link === undefined ? addressOf(key) : `${addressOf(key)} at ${link}`;
}

/** An address alone has 4 or 16 bytes; parts of a key begin at multiples of four. */
function addressOf(key: Uint8Array): string {
  return addressText(key.subarray(0, key.length < 16 ? 4 : 16));
}

function linkOf(key: Uint8Array): string | undefined {
  const rest = key.subarray(key.length < 16 ? 4 : 16);
  if (rest.length < LINK_BYTES) return undefined;
  return [...rest.subarray(0, LINK_BYTES)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
