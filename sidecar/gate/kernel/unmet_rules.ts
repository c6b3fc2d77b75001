/** Rules that note who is denied and may be a member of a partial group: the sidecar asks about them, see `unmet_peers.ts`. */
import type { Direction } from '../../../policy/index.ts';
import { ADDRESS_TYPES, FAMILIES, GATE_TABLE, HEADERS, WAYS } from './names.ts';

/** Denied peers that are noted at once, of each family, by address: one that tries many ports takes one place. */
export const UNMET_SIZE = 2_048;

/** How long a peer is noted after its last packet. It is read several times meanwhile. */
export const UNMET_SECONDS = 1;

/** Counts packets of peers that are noted, in both directions: where that has not moved, no other set has to be read. */
export const UNMET_TOTALS = 'unmet_packets';

/** That set. */
export const UNMET_TOTALS_SET = `set ${UNMET_TOTALS} { type inet_proto; flags dynamic; size 256; counter; }`;

/** Where a direction's peers are noted. */
export function unmetSetName(direction: Direction, family: (typeof FAMILIES)[number]): string {
  return `${WAYS[direction].name}_unmet${family}`;
}

/** That set. */
export function unmetSet(direction: Direction, family: (typeof FAMILIES)[number]): string {
  const type = ADDRESS_TYPES[family];
  return `set ${unmetSetName(direction, family)} { type ${type}; flags dynamic,timeout; size ${UNMET_SIZE}; timeout ${UNMET_SECONDS}s; counter; }`;
}

/** The chain that denied packets go through before they may be reset: empty in a direction without partial groups. */
export function unmetChain(direction: Direction): string {
  return `${WAYS[direction].name}_note_unmet`;
}

/** What it has. A peer that may be a member gets no reset: that could not be taken back. */
export function unmetRules(direction: Direction, noted: boolean): readonly string[] {
  const chain = `${GATE_TABLE} ${unmetChain(direction)}`;
  const { peer } = WAYS[direction];
  const notes = FAMILIES.map(
    (family) =>
      `meta nfproto ipv${family} update @${unmetSetName(direction, family)} { ${HEADERS[family]} ${peer} }`,
  );
  return [
    `flush chain ${chain}`,
    ...(noted
      ? [`update @${UNMET_TOTALS} { meta l4proto }`, ...notes, 'drop'].map(
          (rule) => `add rule ${chain} ${rule}`,
        )
      : []),
  ];
}
