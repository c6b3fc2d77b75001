/** The addresses of the Internet: those that are public. */
import { parseAddress, parseCidr } from '../policy/index.ts';

/** Every public address that no pod, node or Service has. */
export const INTERNET = 'internet';

/** Of an address. */
export const IPV4_BITS = 32;
export const IPV6_BITS = 128;
/** Of one word of an address. */
export const WORD_BITS = 32n;

/** Addresses of one family as numbers, both ends inclusive. */
export interface Range {
  readonly bits: number;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * What `internet` leaves out: addresses that are not routed on it. Source: the IANA registries of special-purpose addresses,
 * IPv4 and IPv6, "globally reachable: false", and multicast.
 */
const NOT_PUBLIC = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
] as const;

/** Of IPv6 all that is routed is in here. Source: the IANA registry of the IPv6 address space, "Global Unicast". */
const PUBLIC_IPV6 = '2000::/3';

/** What of that `internet` leaves out; source as above. 6to4 (`2002::/16`) is "N/A" there, and stays in. */
const NOT_PUBLIC_IPV6 = ['2001::/23', '2001:db8::/32', '3fff::/20'] as const;

/**
 * What of the blocks that are left out is public all the same: the registries have blocks in `192.0.0.0/24` and `2001::/23` that
 * are reachable (anycast of PCP, TURN and DNS-SD, AMT, AS112, ORCHIDv2, drone remote ID), and Teredo, which is "N/A".
 */
const PUBLIC_WITHIN = [
  '192.0.0.9/32',
  '192.0.0.10/32',
  '2001::/32',
  '2001:1::1/128',
  '2001:1::2/127',
  '2001:3::/32',
  '2001:4:112::/48',
  '2001:20::/28',
  '2001:30::/28',
] as const;

/** All public addresses, in order. */
export function publicRanges(): readonly Range[] {
  const without = (from: Range, blocks: readonly Range[]): readonly Range[] => {
    const ranges: Range[] = [];
    let next = from.first;
    for (const { first, last } of blocks) {
      if (first > next) ranges.push({ bits: from.bits, first: next, last: first - 1n });
      next = last + 1n;
    }
    if (next <= from.last) ranges.push({ bits: from.bits, first: next, last: from.last });
    return ranges;
  };
  const within = rangesOf(PUBLIC_WITHIN);
  const publicOf = (whole: string, notPublic: readonly string[]): readonly Range[] =>
    rangesOf([whole]).flatMap((range) =>
      [...without(range, rangesOf(notPublic)), ...within.filter(({ bits }) => bits === range.bits)].sort(
        (a, b) => (a.first < b.first ? -1 : 1),
      ),
    );
  return [...publicOf('0.0.0.0/0', NOT_PUBLIC), ...publicOf(PUBLIC_IPV6, NOT_PUBLIC_IPV6)];
}

/** Blocks in canonical text as numbers. */
export function rangesOf(blocks: readonly string[]): readonly Range[] {
  return blocks.flatMap((block) => {
    const written = parseCidr(block);
    if (written === undefined) return [];
    const { words, prefix } = written.cidr;
    const bits = words.length === 1 ? IPV4_BITS : IPV6_BITS;
    const first = fromWords(words);
    return [{ bits, first, last: first + (1n << BigInt(bits - prefix)) - 1n }];
  });
}

/** @param address canonical */
export function numberOf(address: string): { readonly bits: number; readonly first: bigint } | undefined {
  const words = parseAddress(address);
  if (words === undefined) return undefined;
  return { bits: words.length === 1 ? IPV4_BITS : IPV6_BITS, first: fromWords(words) };
}

function fromWords(words: readonly number[]): bigint {
  return words.reduce((number, word) => (number << WORD_BITS) | BigInt(word), 0n);
}

/** Whether one of some blocks has public addresses beside its exceptions. */
export function havePublic(
  blocks: readonly { readonly cidr: string; readonly except: readonly string[] }[],
): boolean {
  const ranges = publicRanges();
  return blocks.some(({ cidr, except }) => {
    const out = rangesOf(except).toSorted((a, b) => (a.first < b.first ? -1 : 1));
    return rangesOf([cidr]).some((block) => ranges.some((range) => isLeft(range, block, out)));
  });
}

/** Whether something of a range is in a block and in none of its exceptions. @param out sorted */
function isLeft(range: Range, block: Range, out: readonly Range[]): boolean {
  if (range.bits !== block.bits) return false;
  let next = range.first > block.first ? range.first : block.first;
  const last = range.last < block.last ? range.last : block.last;
  for (const one of out) if (one.first <= next && one.last >= next) next = one.last + 1n;
  return next <= last;
}
