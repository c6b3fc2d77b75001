/**
 * A block of addresses, cut where policies cut it: within a part all addresses that nobody has get the same verdict, so one of
 * each is judged.
 */
import { SluiceError } from '../../common/errors.ts';
import { type Cluster, canonicalAddress, formatAddress, isLive } from '../../policy/index.ts';
import {
  INTERNET,
  IPV4_BITS,
  IPV6_BITS,
  numberOf,
  publicRanges,
  type Range,
  rangesOf,
  WORD_BITS,
} from '../public_addresses.ts';

/** Consecutive addresses, both ends inclusive, of which one is judged. */
export interface BlockPart {
  readonly first: string;
  readonly last: string;
  /** One that nobody has; or the one that somebody has. */
  readonly address: string;
}

/** Parts of one block, and of `internet` as a whole. Each costs a judgement. */
const MAX_PARTS = 4_096;

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

function textOf(number: bigint, bits: number): string {
  const words: number[] = [];
  for (let shift = BigInt(bits) - WORD_BITS; shift >= 0n; shift -= WORD_BITS)
    words.push(Number((number >> shift) & 0xffffffffn));
  return canonicalAddress(formatAddress(words));
}
