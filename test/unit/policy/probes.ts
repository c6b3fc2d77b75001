/** Questions about a cluster, where it hurts: the edges of its blocks and port ranges, its pods, and strangers. */
import { isIPv6 } from 'node:net';
import type { ApiCluster, ApiPolicy } from '../../builders/api_objects.ts';
import type { ObviousFlow } from './obvious.ts';

const STRANGERS = [
  '203.0.113.7',
  '8.8.8.8',
  '192.168.0.1',
  '192.168.0.2',
  '2001:db8::1',
  'fc00::1',
  'fc00::9',
];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

/** What questions are made of. */
export interface ProbePool {
  readonly pods: readonly string[];
  /** Of both families, those of pods among them. */
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}

/** All that may make a difference in a cluster. */
export function probePool({ pods = [], policies = [] }: ApiCluster): ProbePool {
  const own = pods.flatMap(({ status }) => (status.podIPs ?? []).map(({ ip }) => ip));
  const edges = policies.flatMap(blocksOf).flatMap(edgesOf);
  const declared = pods.flatMap(({ spec }) => spec.containers.flatMap(({ ports = [] }) => ports ?? []));
  const ports = [
    ...policies.flatMap(portsOf),
    ...declared.map(({ containerPort }) => containerPort),
    ...[1, 65_535],
  ];
  return {
    pods: [...new Set(own)],
    addresses: [...new Set([...own, ...edges, ...STRANGERS])],
    ports: [...new Set(ports)],
  };
}

/**
 * A flow from or to a pod: the other end has the same family. Undefined where no pod has an address.
 * @param below gives a whole number below its argument
 */
export function randomProbe(
  { pods, addresses, ports }: ProbePool,
  below: (count: number) => number,
): ObviousFlow | undefined {
  const subject = pods[below(pods.length)];
  if (subject === undefined) return undefined;
  // Every other time the peer is a pod, so that selectors get a say.
  const others = below(2) === 0 ? pods : addresses;
  const family = others.filter((address) => isIPv6(address) === isIPv6(subject));
  const peer = family[below(family.length)] ?? subject;
  const [source, destination] = below(2) === 0 ? [subject, peer] : [peer, subject];
  const protocol = PROTOCOLS[Math.max(below(PROTOCOLS.length + 1) - 1, 0)] ?? 'TCP';
  return { source, destination, protocol, port: ports[below(ports.length)] ?? 80 };
}

function blocksOf({ spec }: ApiPolicy): string[] {
  const rules = [...(spec.ingress ?? []), ...(spec.egress ?? [])];
  return rules.flatMap(({ from, to }) =>
    [...(from ?? []), ...(to ?? [])].flatMap(({ ipBlock }) =>
      ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : [],
    ),
  );
}

function portsOf({ spec }: ApiPolicy): number[] {
  const rules = [...(spec.ingress ?? []), ...(spec.egress ?? [])];
  return rules.flatMap((rule) =>
    (rule.ports ?? []).flatMap(({ port, endPort }) => {
      if (typeof port !== 'number') return [];
      return [port - 1, port, endPort ?? port, (endPort ?? port) + 1].filter(
        (one) => one > 0 && one < 65_536,
      );
    }),
  );
}

/** The first and last address of a block, and those just outside. */
function edgesOf(cidr: string): string[] {
  const [network = '', prefix = ''] = cidr.split('/');
  const bits = isIPv6(network) ? 128n : 32n;
  const size = 1n << (bits - BigInt(prefix));
  const first = numberOf(network);
  return [first - 1n, first, first + size - 1n, first + size]
    .filter((value) => value >= 0n && value < 1n << bits)
    .map((value) => addressOf(value, bits));
}

function numberOf(address: string): bigint {
  if (!isIPv6(address)) return address.split('.').reduce((value, octet) => value * 256n + BigInt(octet), 0n);
  const [head = '', tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const gap = tail === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...gap, ...(tail ?? [])].reduce(
    (value, group) => value * 65_536n + BigInt(`0x${group}`),
    0n,
  );
}

/** Canonical: what stands in a URL between brackets is. */
function addressOf(value: bigint, bits: bigint): string {
  if (bits === 32n) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
