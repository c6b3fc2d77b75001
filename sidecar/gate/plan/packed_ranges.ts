/** Port ranges as numbers: sorted and disjoint, the first port in the upper half of each number. Four bytes each. */
import { PROTOCOLS } from '../../../common/net.ts';
import type { Protocol } from '../../../policy/index.ts';
import type { Access, PortRange } from './access.ts';

/** No ranges at all. */
export const NO_RANGES = new Uint32Array();

const PORT_BITS = 16;
const PORT_MASK = 0xffff;

/** The ranges of one protocol of an access. */
export function packed(ranges: readonly PortRange[] | undefined): Uint32Array {
  return Uint32Array.from(ranges ?? [], ({ from, to }) => ((from << PORT_BITS) | to) >>> 0);
}

/** The access with these ranges, by the order of `PROTOCOLS`. */
export function accessOfRanges(ports: readonly Uint32Array[]): Access {
  const access = new Map<Protocol, readonly PortRange[]>();
  for (const [i, protocol] of PROTOCOLS.entries()) {
    const ranges = ports[i] ?? NO_RANGES;
    if (ranges.length === 0) continue;
    access.set(
      protocol,
      Array.from(ranges, (range) => ({ from: range >>> PORT_BITS, to: range & PORT_MASK })),
    );
  }
  return access;
}

/** The union of two lists of sorted, disjoint ranges; one of them itself where it has the other. */
export function mergedRanges(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const made = new Uint32Array(a.length + b.length);
  let length = 0;
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY];
    const next = Math.min(left, right);
    if (next === left) i += 1;
    else j += 1;
    const last = made[length - 1];
    if (length > 0 && last !== undefined && next >>> PORT_BITS <= (last & PORT_MASK) + 1) {
      const to = Math.max(last & PORT_MASK, next & PORT_MASK);
      made[length - 1] = ((last & ~PORT_MASK) | to) >>> 0;
    } else {
      made[length] = next;
      length += 1;
    }
  }
  const union = made.subarray(0, length);
  if (sameRanges(union, a)) return a;
  return sameRanges(union, b) ? b : union.slice();
}

function sameRanges(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((range, i) => range === b[i]);
}
