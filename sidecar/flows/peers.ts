/** Which text a peer has in a window: its own address, or the network around it where there is no place for each. */
import { familyOf, formatAddress, parseAddress } from '../../policy/index.ts';

/** Bits of the networks in which addresses outside the cluster are put together. */
const NETWORK_BITS = { 4: 24, 6: 56 } as const;

const WORD_BITS = 32;

/**
 * The network of an address, as text: `203.0.113.0/24`, `2001:db8:0:100::/56`. What is a network already, or no address, stays as it is.
 */
export function networkOf(peer: string): string {
  const words = parseAddress(peer);
  if (words === undefined) return peer;
  const bits = NETWORK_BITS[familyOf(peer)];
  const network = words.map((word, index) => masked(word, bits - index * WORD_BITS));
  return `${formatAddress(network)}/${bits}`;
}

/** @param bits how many of the word stay */
function masked(word: number, bits: number): number {
  if (bits >= WORD_BITS) return word;
  return bits <= 0 ? 0 : (word & (-1 << (WORD_BITS - bits))) >>> 0;
}

/**
 * Whether an address may be a pod's: it is private. A table has the pods that its rules name, and of a pod that no policy isolates it has
 * none. Pods have private addresses in nearly every cluster. Source: RFC 1918, RFC 6598, RFC 4193.
 */
export function isPrivate(address: string): boolean {
  const words = parseAddress(address);
  const [first = 0] = words ?? [];
  if (words === undefined) return false;
  if (words.length > 1) return first >>> 25 === 0xfc >>> 1;
  return (
    first >>> 24 === 10 ||
    first >>> 20 === ((172 << 4) | 1) ||
    first >>> 16 === ((192 << 8) | 168) ||
    first >>> 22 === ((100 << 2) | 1)
  );
}
