/** Names of the gate's objects in the kernel, and the words that nft(8) has for what they are about. */

import type { Direction } from '../../../policy/index.ts';

/** The gate's table; nothing else is in it. */
export const GATE_TABLE = 'inet sluice';
/** Its name, without the family. */
export const GATE_TABLE_NAME = 'sluice';

/** One direction in the ruleset. Its objects are named `<name>_...`. */
export interface Way {
  readonly name: 'in' | 'out';
  /** Which address of a packet is the peer's. */
  readonly peer: 'saddr' | 'daddr';
}

/** Both directions. */
export const WAYS: Readonly<Record<Direction, Way>> = {
  ingress: { name: 'in', peer: 'saddr' },
  egress: { name: 'out', peer: 'daddr' },
};

/** The chain of an access. */
export function chainName({ name }: Way, id: string): string {
  return `${name}_${id}`;
}

/** Both families of addresses. */
export const FAMILIES = [4, 6] as const;

/** The header of each family. */
export const HEADERS = { 4: 'ip', 6: 'ip6' } as const;

/** The type of an address in a set or a map. */
export const ADDRESS_TYPES = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

/** Compared with `syn`: a packet that opens a TCP connection. */
export const TCP_FLAGS = 'flags & (fin | syn | rst | ack)';
