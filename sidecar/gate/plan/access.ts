/** What a peer may reach at the pod: ports by protocol, as disjoint ranges, with one canonical text for each set. */
import { MAX_PORT, PROTOCOLS } from '../../../common/net.ts';
import type { ContainerPort, Protocol, TablePort } from '../../../policy/index.ts';
import { shortHash } from './short_hash.ts';

/** An inclusive range of ports. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Ports by protocol; the ranges are sorted, disjoint and not adjacent. A protocol that is absent is not reachable. */
export type Access = ReadonlyMap<Protocol, readonly PortRange[]>;

const ALL_PORTS: PortRange = { from: 0, to: MAX_PORT };

/**
 * The union of what several rules admit; each item is the `ports` of one rule. An empty list is no restriction: every
 * port of every protocol. A named port stands for those of `declared` with its name and protocol.
 */
export function accessOf(
  rules: readonly (readonly TablePort[])[],
  declared: readonly ContainerPort[] = [],
): Access {
  const access = new Map<Protocol, readonly PortRange[]>();
  for (const protocol of PROTOCOLS) {
    const ranges = merge(rules.flatMap((ports) => rangesOf(ports, protocol, declared)));
    if (ranges.length > 0) access.set(protocol, ranges);
  }
  return access;
}

/** Equal texts are equal access: `TCP/80,443,8000-8010 UDP/53`. Empty when nothing may be reached. */
export function accessText(access: Access): string {
  return [...access].map(([protocol, ranges]) => `${protocol}/${ranges.map(rangeText).join(',')}`).join(' ');
}

/** A short name for an access: the same for equal ones. */
export function accessId(access: Access): string {
  return shortHash(accessText(access));
}

/** `80` or `8000-8010`. */
export function rangeText({ from, to }: PortRange): string {
  return from === to ? String(from) : `${from}-${to}`;
}

/** Whether a range is every port. */
export function isAllPorts({ from, to }: PortRange): boolean {
  return from <= 1 && to === MAX_PORT;
}

/** Whether a port is in an access. */
export function admits(access: Access | undefined, protocol: Protocol, port: number): boolean {
  const ranges = access?.get(protocol) ?? [];
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.to ?? port) < port) low = middle + 1;
    else high = middle;
  }
  return (ranges[low]?.from ?? Number.POSITIVE_INFINITY) <= port;
}

function rangesOf(
  ports: readonly TablePort[],
  protocol: Protocol,
  declared: readonly ContainerPort[],
): readonly PortRange[] {
  if (ports.length === 0) return [ALL_PORTS];
  return ports.flatMap((port) => {
    if (port.protocol !== protocol) return [];
    if (port.from !== undefined) return [{ from: port.from, to: port.to ?? port.from }];
    if (port.name === undefined) return [ALL_PORTS];
    return declared
      .filter((one) => one.name === port.name && one.protocol === protocol)
      .map((one) => ({ from: one.port, to: one.port }));
  });
}

function merge(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}
