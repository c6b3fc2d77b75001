/** IP addresses as text and as numbers. One canonical text per address, so that texts can be compared and looked up. */

import { SluiceError } from '../../common/errors.ts';

/** An address as unsigned 32-bit words, most significant first: one word for IPv4, four for IPv6. */
export type AddressWords = readonly number[];

const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
const IPV6_GROUPS = 8;
/** The third word of `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2). */
const MAPPED_WORD = 0xffff;
const MAPPED_TEXT = '::ffff:';

function parseIPv4(text: string): number | undefined {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  let word = 0;
  for (let i = 1; i <= 4; i += 1) {
    const octet = Number(match[i]);
    if (octet > 255) return undefined;
    word = word * 256 + octet;
  }
  return word;
}

/** The 16-bit groups of one side of `::`; the last may be a dotted IPv4 address, which stands for two. */
function parseGroups(text: string, mayEndInIPv4: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (HEX_GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const tail = mayEndInIPv4 && i === parts.length - 1 ? parseIPv4(part) : undefined;
    if (tail === undefined) return undefined;
    groups.push(tail >>> 16, tail & 0xffff);
  }
  return groups;
}

function parseIPv6(text: string): AddressWords | undefined {
  const gap = text.indexOf('::');
  let groups: number[] | undefined;
  if (gap < 0) {
    groups = parseGroups(text, true);
  } else {
    const tailText = text.slice(gap + 2);
    const head = parseGroups(text.slice(0, gap), false);
    const tail = parseGroups(tailText, true);
    if (head === undefined || tail === undefined) return undefined;
    const missing = IPV6_GROUPS - head.length - tail.length;
    if (missing < 1) return undefined;
    groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  }
  if (groups?.length !== IPV6_GROUPS) return undefined;
  const words: number[] = [];
  for (let i = 0; i < IPV6_GROUPS; i += 2) words.push((groups[i] ?? 0) * 0x10000 + (groups[i + 1] ?? 0));
  return words;
}

/** Whether the words are `::ffff:a.b.c.d`. */
export function isMapped(words: AddressWords): boolean {
  return words.length === 4 && words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD;
}

/** Reads an address exactly as written: a v4-mapped one stays four words. Undefined when it is none. */
export function parseAddressAsWritten(text: string): AddressWords | undefined {
  if (text.includes(':')) return parseIPv6(text);
  const word = parseIPv4(text);
  return word === undefined ? undefined : [word];
}

/**
 * Reads an address; a v4-mapped one is the IPv4 address. Undefined when it is none: octets with leading zeros
 * (programs disagree about them) and zone ids (`fe80::1%eth0`, meaningless on another machine) are refused.
 */
export function parseAddress(text: string): AddressWords | undefined {
  const words = parseAddressAsWritten(text);
  if (words === undefined) return undefined;
  return isMapped(words) ? [words[3] ?? 0] : words;
}

function formatIPv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

/** Where the longest run of at least two zero groups is, the first of equals (RFC 5952, 4.2). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  let start = 0;
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start };
  }
  return best;
}

/** The canonical text: dotted for IPv4, RFC 5952 as `inet_ntop` prints it for IPv6. */
export function formatAddress(words: AddressWords): string {
  if (words.length === 1) return formatIPv4(words[0] ?? 0);
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const run = longestZeroRun(groups);
  // inet_ntop prints the last two groups of ::a.b.c.d and ::ffff:a.b.c.d dotted.
  if (run.start === 0 && (run.length === 6 || (run.length === 5 && groups[5] === MAPPED_WORD))) {
    return `${run.length === 6 ? '::' : '::ffff:'}${formatIPv4(words[3] ?? 0)}`;
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (run.start < 0) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/**
 * The one text an address is known by: dotted IPv4, RFC 5952 for IPv6, `::ffff:a.b.c.d` as `a.b.c.d`.
 * Throws ADDRESS_INVALID for anything else, zone ids included.
 */
export function canonicalAddress(text: string): string {
  const words = parseAddress(text);
  if (words === undefined) {
    const zone = text.includes('%') ? '; leave the zone (after %) out' : '';
    throw new SluiceError(
      'ADDRESS_INVALID',
      `"${text}" is not an IP address: write 10.1.2.3 or fd00::1${zone}`,
    );
  }
  return formatAddress(words);
}

/**
 * The canonical text of an address as a socket gives it, without throwing: v4-mapped unmapped, a zone id left out.
 * What is not an address comes back as it is; it then is nobody's address and in no block.
 */
export function socketAddress(text: string): string {
  // Sockets print canonical text already, except for these two forms.
  if (!text.includes(':') || !(text.includes('.') || text.includes('%'))) return text;
  // The usual one on a dual-stack listener, without parsing.
  if (text.startsWith(MAPPED_TEXT) && IPV4.test(text.slice(MAPPED_TEXT.length)))
    return text.slice(MAPPED_TEXT.length);
  const zone = text.indexOf('%');
  const words = parseAddress(zone < 0 ? text : text.slice(0, zone));
  return words === undefined ? text : formatAddress(words);
}

/** Whether a canonical address means "this host" wherever it is used: `127.0.0.0/8` and `::1`. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (address.startsWith('127.') && !address.includes(':'));
}
