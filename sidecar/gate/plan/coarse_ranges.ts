/** A few ranges that hold all of many addresses. */
import { familyOf, formatAddress, parseAddress } from '../../../policy/index.ts';

const WORD_BITS = 32n;
const WORD_MASK = 0xffffffffn;

/**
 * At most `count` ranges, `from-to` or one address, that hold all addresses and as few others as possible: the widest gaps between
 * addresses are left out.
 * @param addresses canonical, of one family, in any order
 */
export function coarseRanges(addresses: readonly string[], count: number): readonly string[] {
  const isIPv6 = addresses.some((address) => familyOf(address) === 6);
  const numbers = addresses.map(numberOf).sort(ascending);
  const gaps = numbers.flatMap((number, place) => {
    const before = numbers[place - 1];
    return before === undefined || number - before <= 1n ? [] : [{ place, width: number - before }];
  });
  gaps.sort((a, b) => ascending(b.width, a.width));
  const starts = [0, ...gaps.slice(0, count - 1).map(({ place }) => place)].sort((a, b) => a - b);
  return starts.map((start, index) => {
    const from = numbers[start] ?? 0n;
    const to = numbers[(starts[index + 1] ?? numbers.length) - 1] ?? from;
    return from === to ? text(from, isIPv6) : `${text(from, isIPv6)}-${text(to, isIPv6)}`;
  });
}

function ascending(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function numberOf(address: string): bigint {
  return (parseAddress(address) ?? []).reduce((value, word) => (value << WORD_BITS) | BigInt(word), 0n);
}

function text(value: bigint, isIPv6: boolean): string {
  const shifts = isIPv6 ? [96n, 64n, 32n, 0n] : [0n];
  return formatAddress(shifts.map((shift) => Number((value >> shift) & WORD_MASK)));
}
