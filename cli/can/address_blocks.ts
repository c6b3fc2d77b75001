/**
 * A block of addresses, cut where policies cut it: within a part all addresses that nobody has get the same verdict, so one of
 * each is judged.
 */
import { SluiceError } from '../../common/errors.ts';
import {
  type Cluster,
  canonicalAddress,
  formatAddress,
  isLive,
  parseAddress,
  parseCidr,
} from '../../policy/index.ts';
import { INTERNET } from './endpoint_ref.ts';

/** Consecutive addresses, both ends inclusive, of which one is judged. */
export interface BlockPart {
  readonly first: string;
  readonly last: string;
  /** One that nobody has; or the one that somebody has. */
  readonly address: string;
}

/** Parts of one block, and of `internet` as a whole. Each costs a judgement. */
const MAX_PARTS = 4_096;

const IPV4_BITS = 32;
const IPV6_BITS = 128;
const WORD_BITS = 32n;

/** Numbers of one family, both ends inclusive. */
interface Range {
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

/** Cuts blocks of one cluster. */
export interface AddressBlocks {
  /** @throws SluiceError `INPUT_TOO_LARGE` for a block of too many parts */
  parts(block: string): readonly BlockPart[];
}

/** What depends on the cluster only is worked out once. */
export function createAddressBlocks(cluster: Cluster): AddressBlocks {
  const cuts = cutsOf(cluster);
  const owned = ownedAddresses(cluster);
  const internet = familiesOf(cluster, cuts);
  return {
    parts(block) {
      const isInternet = block === INTERNET;
      const whole = isInternet
        ? publicRanges().filter(({ bits }) => internet.includes(bits))
        : rangesOf([block]);
      const parts: BlockPart[] = [];
      for (const range of whole) {
        parts.push(...cut(range, cuts, owned, isInternet));
        if (parts.length > MAX_PARTS) throw tooManyParts();
      }
      return parts;
    },
  };
}

/**
 * The families that `internet` is asked of: those that pods, Services or blocks of policies have, IPv4 where none has an address.
 * Addresses of nodes do not count: they have IPv6 in clusters of IPv4, too.
 */
function familiesOf({ pods, services }: Cluster, cuts: readonly Range[]): readonly number[] {
  const found = new Set(cuts.map(({ bits }) => bits));
  const addresses = [
    ...[...pods.values()].filter(isLive).flatMap(({ ips }) => ips),
    ...[...services.values()].flatMap(({ clusterIPs }) => clusterIPs),
  ];
  for (const address of addresses) found.add(address.includes(':') ? IPV6_BITS : IPV4_BITS);
  return found.size === 0 ? [IPV4_BITS] : [...found];
}

function tooManyParts(): SluiceError {
  return new SluiceError(
    'INPUT_TOO_LARGE',
    `policies and pods cut this block into more than ${MAX_PARTS} parts: ask about a smaller one`,
  );
}

/** Where verdicts may change: at both ends of each block that a policy names. */
function cutsOf({ policies }: Cluster): readonly Range[] {
  const blocks = [...policies.values()].flatMap(({ ingress, egress }) =>
    [...ingress, ...egress].flatMap(({ peers }) =>
      peers.flatMap((peer) => (peer.kind === 'ipBlock' ? [peer.ipBlock.cidr, ...peer.ipBlock.except] : [])),
    ),
  );
  return rangesOf([...new Set(blocks)]);
}

function ownedAddresses({ pods, nodes, services }: Cluster): ReadonlySet<string> {
  const owned = new Set<string>();
  for (const pod of pods.values())
    if (isLive(pod)) for (const ip of [...pod.ips, ...pod.hostIPs]) owned.add(ip);
  for (const { addresses } of nodes.values()) for (const ip of addresses) owned.add(ip);
  for (const { clusterIPs, externalIPs = [] } of services.values())
    for (const ip of [...clusterIPs, ...externalIPs]) owned.add(ip);
  return owned;
}

function cut(
  range: Range,
  cuts: readonly Range[],
  owned: ReadonlySet<string>,
  leavesOwnedOut: boolean,
): readonly BlockPart[] {
  const within = (at: bigint): boolean => at > range.first && at <= range.last;
  const sameFamily = cuts.filter(({ bits }) => bits === range.bits);
  const ownedHere = [...owned].flatMap((address) => {
    const found = numberOf(address);
    return found?.bits === range.bits && found.first >= range.first && found.first <= range.last
      ? [found.first]
      : [];
  });
  const starts = [
    range.first,
    ...sameFamily.flatMap(({ first, last }) => [first, last + 1n]),
    ...ownedHere.flatMap((at) => [at, at + 1n]),
  ].filter((at) => at === range.first || within(at));
  const sorted = [...new Set(starts)].sort((a, b) => (a < b ? -1 : 1));
  if (sorted.length > MAX_PARTS) throw tooManyParts();
  return sorted.flatMap((first, at) => {
    const last = (sorted[at + 1] ?? range.last + 1n) - 1n;
    const text = textOf(first, range.bits);
    if (leavesOwnedOut && owned.has(text)) return [];
    return [{ first: text, last: textOf(last, range.bits), address: text }];
  });
}

function publicRanges(): readonly Range[] {
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

function rangesOf(blocks: readonly string[]): readonly Range[] {
  return blocks.flatMap((block) => {
    const written = parseCidr(block);
    if (written === undefined) return [];
    const { words, prefix } = written.cidr;
    const bits = words.length === 1 ? IPV4_BITS : IPV6_BITS;
    const first = fromWords(words);
    return [{ bits, first, last: first + (1n << BigInt(bits - prefix)) - 1n }];
  });
}

function numberOf(address: string): { readonly bits: number; readonly first: bigint } | undefined {
  const words = parseAddress(address);
  if (words === undefined) return undefined;
  return { bits: words.length === 1 ? IPV4_BITS : IPV6_BITS, first: fromWords(words) };
}

function fromWords(words: readonly number[]): bigint {
  return words.reduce((number, word) => (number << WORD_BITS) | BigInt(word), 0n);
}

function textOf(number: bigint, bits: number): string {
  const words: number[] = [];
  for (let shift = BigInt(bits) - WORD_BITS; shift >= 0n; shift -= WORD_BITS)
    words.push(Number((number >> shift) & 0xffffffffn));
  return canonicalAddress(formatAddress(words));
}
