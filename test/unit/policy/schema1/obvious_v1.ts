/**
 * A slow, obvious judge of tables of schema 1: it reads them as sidecars of before version 0.2 do, and shares no code with the
 * engine.
 */
import { BlockList, isIPv6 } from 'node:net';
import type { TableV1 } from '../../../../policy/index.ts';

type Rule = TableV1['ingress']['rules'][number];

/** What is asked of a table. */
export interface ObviousQuestion {
  readonly direction: 'ingress' | 'egress';
  /** A canonical address. */
  readonly peer: string;
  readonly protocol: string;
  readonly port: number;
}

/** Whether a flow passes. The subject's own addresses and its node's pass. */
export function obviousV1(table: TableV1, question: ObviousQuestion): boolean {
  const { subject } = table;
  if ([...subject.ips, ...subject.nodeIPs].includes(question.peer)) return true;
  const { isolating, rules } = table[question.direction];
  return (
    isolating.length === 0 ||
    rules.some((rule) => hasPeer(table, rule, question.peer) && hasPort(table, rule, question))
  );
}

function hasPeer({ groups, pods }: TableV1, { peers }: Rule, address: string): boolean {
  if (peers.length === 0) return true;
  return peers.some((peer) => {
    if (peer.kind === 'ipBlock')
      return inBlock(peer.cidr, address) && !peer.except.some((cidr) => inBlock(cidr, address));
    // Rights end with the pod: a member that the directory does not know counts for nothing.
    return Object.hasOwn(pods, address) && groups[peer.group]?.members.includes(address) === true;
  });
}

function hasPort(
  { pods }: TableV1,
  { ports }: Rule,
  { direction, peer, protocol, port }: ObviousQuestion,
): boolean {
  if (ports.length === 0) return true;
  return ports.some((test) => {
    if (test.protocol !== protocol) return false;
    if (test.from !== undefined) return test.from <= port && port <= (test.to ?? test.from);
    if (test.name === undefined) return true;
    // Names of ingress rules are resolved when the table is made; one that is left has no port.
    if (direction === 'ingress') return false;
    const declared = Object.hasOwn(pods, peer) ? (pods[peer]?.ports ?? []) : [];
    return declared.some((one) => one.name === test.name && one.port === port && one.protocol === protocol);
  });
}

function inBlock(cidr: string, address: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/');
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  if (isIPv6(address) !== isIPv6(network)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(address, family);
}
