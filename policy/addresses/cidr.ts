/** Address blocks: parsed once, matched by number. */

import { type AddressWords, formatAddress, isMapped, parseAddressAsWritten } from './address.ts';

/** An address block; the bits past the prefix are zero. The number of words says the family. */
export interface Cidr {
  readonly words: AddressWords;
  /** Prefix length in bits: 0 to 32 for one word, 0 to 128 for four. */
  readonly prefix: number;
}

/** A block as somebody wrote it, and what was odd about the way it was written. */
export interface WrittenCidr {
  readonly cidr: Cidr;
  /** Bits were set beyond the prefix length; they are masked in `cidr`. */
  readonly hostBits: boolean;
  /** It was written v4-mapped (`::ffff:10.0.0.0/104`); `cidr` is the IPv4 block. */
  readonly mapped: boolean;
}

const WORD_BITS = 32;
/** Bits of `::ffff:0:0` before the IPv4 address. */
const MAPPED_PREFIX = 96;
const PREFIX = /^(0|[1-9]\d{0,2})$/;

/** The mask of the word that starts at bit `start` of an address, for a prefix of `prefix` bits. */
function wordMask(prefix: number, start: number): number {
  const bits = prefix - start;
  if (bits <= 0) return 0;
  return bits >= WORD_BITS ? 0xffffffff : (0xffffffff << (WORD_BITS - bits)) >>> 0;
}

/** The words with all bits past `prefix` cleared. */
export function maskWords(words: AddressWords, prefix: number): AddressWords {
  return words.map((word, i) => (word & wordMask(prefix, i * WORD_BITS)) >>> 0);
}

/** Reads `ADDRESS/PREFIX`. Undefined when it is not a CIDR. */
export function parseCidr(text: string): WrittenCidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const written = parseAddressAsWritten(text.slice(0, slash));
  const prefixText = text.slice(slash + 1);
  if (written === undefined || !PREFIX.test(prefixText)) return undefined;
  const writtenPrefix = Number(prefixText);
  if (writtenPrefix > written.length * WORD_BITS) return undefined;
  const mapped = isMapped(written) && writtenPrefix >= MAPPED_PREFIX;
  const words = mapped ? written.slice(3) : written;
  const prefix = mapped ? writtenPrefix - MAPPED_PREFIX : writtenPrefix;
  const masked = maskWords(words, prefix);
  return { cidr: { words: masked, prefix }, hostBits: masked.some((word, i) => word !== words[i]), mapped };
}

/** The canonical text of a block. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.words)}/${cidr.prefix}`;
}

/** Whether an address is in a block. Families never match across. */
export function cidrContains(cidr: Cidr, address: AddressWords): boolean {
  const { words, prefix } = cidr;
  if (words.length !== address.length) return false;
  for (let i = 0; i < words.length; i += 1) {
    if (((address[i] ?? 0) & wordMask(prefix, i * WORD_BITS)) >>> 0 !== words[i]) return false;
  }
  return true;
}

/** Whether `inner` lies in `outer` and is smaller. */
export function isStrictSubset(inner: Cidr, outer: Cidr): boolean {
  return inner.prefix > outer.prefix && cidrContains(outer, inner.words);
}
