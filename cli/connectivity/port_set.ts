/** Sets of ports, by protocol and range: what one end may reach of another. */
import { firstFew } from '../../common/first_few.ts';
import { MAX_PORT, PROTOCOLS } from '../../common/net.ts';
import type { Protocol } from '../../policy/index.ts';

/** Consecutive ports of one protocol, both ends inclusive, 1 to 65535. */
export interface PortRange {
  readonly protocol: Protocol;
  readonly first: number;
  readonly last: number;
}

/** Ports. Two sets are equal exactly when their keys are. */
export interface PortSet {
  /** In order of protocol and number; no two overlap or touch. */
  readonly ranges: readonly PortRange[];
  readonly key: string;
}

/** Port 0 is in ranges of policies, but nothing can be sent there. */
const MIN_PORT = 1;

/** All ports of one protocol. */
export function allOf(protocol: Protocol): PortRange {
  return { protocol, first: MIN_PORT, last: MAX_PORT };
}

/** Sorts ranges and joins those that overlap or touch. */
export function portSet(ranges: Iterable<PortRange>): PortSet {
  const byProtocol = Map.groupBy(ranges, ({ protocol }) => protocol);
  const joined = PROTOCOLS.flatMap((protocol) => joinRanges(byProtocol.get(protocol) ?? []));
  return { ranges: joined, key: joined.map(rangeText).join(',') };
}

function joinRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const sorted = ranges
    .map((range) => ({ ...range, first: Math.max(range.first, MIN_PORT) }))
    .filter(({ first, last }) => first <= last)
    .sort((a, b) => a.first - b.first);
  const joined: PortRange[] = [];
  for (const range of sorted) {
    const before = joined.at(-1);
    if (before === undefined || range.first > before.last + 1) joined.push(range);
    else if (range.last > before.last) joined[joined.length - 1] = { ...before, last: range.last };
  }
  return joined;
}

/** No port. */
export const NO_PORTS: PortSet = portSet([]);

/** Every port of every protocol that policy can name. */
export const ALL_PORTS: PortSet = portSet(PROTOCOLS.map(allOf));

/** What is in one of them. */
export function union(sets: readonly PortSet[]): PortSet {
  const [first = NO_PORTS, ...others] = sets;
  return others.every(({ key }) => key === first.key) ? first : portSet(sets.flatMap(({ ranges }) => ranges));
}

/** Asked for again and again, of few sets. */
const intersections = new WeakMap<PortSet, WeakMap<PortSet, PortSet>>();

/** What is in both. */
export function intersection(a: PortSet, b: PortSet): PortSet {
  if (a.key === b.key || b.key === ALL_PORTS.key) return a;
  if (a.key === ALL_PORTS.key) return b;
  const ofA = intersections.get(a) ?? new WeakMap<PortSet, PortSet>();
  intersections.set(a, ofA);
  const found = ofA.get(b) ?? intersect(a, b);
  ofA.set(b, found);
  return found;
}

function intersect(a: PortSet, b: PortSet): PortSet {
  return portSet(
    a.ranges.flatMap((one) =>
      b.ranges
        .filter(({ protocol }) => protocol === one.protocol)
        .map(({ first, last }) => ({
          ...one,
          first: Math.max(first, one.first),
          last: Math.min(last, one.last),
        })),
    ),
  );
}

/** By set: a comparison asks for the same few again and again. */
const complements = new WeakMap<PortSet, PortSet>();

/** What is in the first and not in the second. */
export function difference(a: PortSet, b: PortSet): PortSet {
  if (b.ranges.length === 0) return a;
  const rest = complements.get(b) ?? complement(b);
  complements.set(b, rest);
  return intersection(a, rest);
}

function complement({ ranges }: PortSet): PortSet {
  return portSet(
    PROTOCOLS.flatMap((protocol) => {
      const taken = ranges.filter((range) => range.protocol === protocol);
      const starts = [MIN_PORT, ...taken.map(({ last }) => last + 1)];
      const ends = [...taken.map(({ first }) => first - 1), MAX_PORT];
      return starts.map((first, at) => ({ protocol, first, last: ends[at] ?? MAX_PORT }));
    }),
  );
}

/** Whether a port is in the set. */
export function hasPort({ ranges }: PortSet, protocol: Protocol, port: number): boolean {
  return ranges.some((range) => range.protocol === protocol && range.first <= port && port <= range.last);
}

/** Ranges that are printed of one set: a port scanner's list of ports is longer than a line. */
const SHOWN_RANGES = 6;

/** For people: `TCP/80, TCP/8000-8999, UDP`, `all ports`, `none`. */
export function portsText(set: PortSet): string {
  if (set.key === ALL_PORTS.key) return 'all ports';
  if (set.ranges.length === 0) return 'none';
  return firstFew(set.ranges.slice(0, SHOWN_RANGES + 1).map(rangeText), SHOWN_RANGES, set.ranges.length);
}

/** Whether `portsText` names all ranges of a set. */
export function isShownWhole({ ranges }: PortSet): boolean {
  return ranges.length <= SHOWN_RANGES + 1;
}

function rangeText({ protocol, first, last }: PortRange): string {
  if (first === MIN_PORT && last === MAX_PORT) return protocol;
  return `${protocol}/${first === last ? first : `${first}-${last}`}`;
}
