/** Finds what people forget most often: to let a pod whose egress is isolated ask its name server. */

import { parseAddress } from '../addresses/index.ts';
import type { ContainerPort } from '../model.ts';
import type { TablePort } from '../rules/index.ts';
import { blockMatches, portMatches } from '../rules/index.ts';
import { portsOf, type Table, type TablePeer, type TableRule } from './table.ts';
import type { Backend, VirtualPort } from './virtual_port.ts';

/** Where names are looked up. */
export const DNS_PORT = 53;
const KEY_END = ` UDP/${DNS_PORT}`;

/** The Services that clusters configure as their pods' name server, by `namespace/name`. Other Services may serve names too. */
export const DNS_SERVICES: readonly string[] = [
  'kube-system/kube-dns',
  'kube-system/coredns',
  'openshift-dns/dns-default',
];

/** Policies, Services and backends that a sentence names; it counts the others. */
const NAMED = 3;

/** The name servers of a cluster: Services that answer UDP/53. */
export interface DnsServers {
  /** `namespace/name`. */
  readonly services: readonly string[];
  /** Canonical virtual addresses: pods ask them, and policy never sees them. */
  readonly virtual: readonly string[];
  readonly backends: readonly Backend[];
}

/**
 * The name servers among a cluster's virtual ports: the Services that clusters are known to use, or, where none of them is
 * there, all that serve UDP/53. Empty where there is none.
 */
export function dnsServers(virtualPorts: Iterable<readonly [string, VirtualPort]>): DnsServers {
  const found: (readonly [address: string, service: string, port: VirtualPort])[] = [];
  for (const [key, port] of virtualPorts)
    if (key.endsWith(KEY_END))
      found.push([key.slice(0, -KEY_END.length), `${port.namespace}/${port.name}`, port]);
  const known = found.filter(([, service]) => DNS_SERVICES.includes(service));
  const chosen = known.length > 0 ? known : found;
  return {
    services: [...new Set(chosen.map(([, service]) => service))],
    virtual: chosen.map(([address]) => address),
    backends: chosen.flatMap(([, , { backends }]) => backends),
  };
}

/** A pod whose egress is looked at, and what its rules' peers are. */
export interface EgressOf extends Pick<Table, 'subject' | 'egress'> {
  isMember(group: string, address: string): boolean;
  /** Named ports of the pod that owns an address; none where no pod does. */
  portsOf(address: string): readonly ContainerPort[];
}

/**
 * Whether a pod is isolated for egress while no rule lets it ask a name server of the cluster: names will not resolve.
 * A sentence about the pod that says so and names the policies, or `undefined`.
 *
 * A rule to UDP/53 of an address block counts: it is about a name server outside the cluster. It does not where the block
 * has the virtual address of one inside, which policy never sees. Where the name servers are not known, any rule counts
 * that admits UDP/53 to anybody.
 */
export function forgottenDns(
  { subject, egress, isMember, portsOf }: EgressOf,
  { services, virtual, backends }: DnsServers,
): string | undefined {
  if (egress.isolating.length === 0) return undefined;
  const policies = listed(egress.isolating.map(({ namespace, name }) => `${namespace}/${name}`));
  const isolated = `egress is isolated by ${policies}`;
  if (backends.length === 0)
    return egress.rules.some(({ ports }) => ports.length === 0 || ports.some(mayBeDns))
      ? undefined
      : `${isolated}, and no rule admits DNS (UDP/53): names do not resolve`;
  const reaches = ({ address, port }: Backend) =>
    [...subject.ips, ...subject.nodeIPs].includes(address) ||
    egress.rules.some(
      ({ ports, peers }) =>
        (ports.length === 0 ||
          ports.some((test) => portMatches(test, 'egress', 'UDP', port, portsOf(address)))) &&
        (peers.length === 0 || peers.some((peer) => isPeer(peer, address, isMember))),
    );
  if (backends.some(reaches) || egress.rules.some((rule) => isOutsideServer(rule, virtual))) return undefined;
  const listening = listed(backends.map(({ address, port }) => `${address} UDP/${port}`));
  return `${isolated}, and no rule admits DNS, which is ${listed(services)} (${listening}): names do not resolve`;
}

function listed(texts: readonly string[]): string {
  const more = texts.length > NAMED ? ` and ${texts.length - NAMED} more` : '';
  return `${texts.slice(0, NAMED).join(', ')}${more}`;
}

function isPeer(peer: TablePeer, address: string, isMember: EgressOf['isMember']): boolean {
  return peer.kind === 'group' ? isMember(peer.group, address) : blockMatches(peer, parseAddress(address));
}

function isOutsideServer({ ports, peers }: TableRule, virtual: readonly string[]): boolean {
  return (
    ports.some((port) => port.from !== undefined && mayBeDns(port)) &&
    peers.some(
      (peer) =>
        peer.kind === 'ipBlock' && !virtual.some((address) => blockMatches(peer, parseAddress(address))),
    )
  );
}

function mayBeDns({ protocol, from, to }: TablePort): boolean {
  if (protocol !== 'UDP') return false;
  if (from === undefined) return true; // every port, or a named one
  return from <= DNS_PORT && DNS_PORT <= (to ?? from);
}

/** The same of a table, by what is in it. */
export function dnsForgottenBy(table: Table): string | undefined {
  return forgottenDns(
    {
      subject: table.subject,
      egress: table.egress,
      // A partial group may have it: that is asked, of name servers in resolv.conf before the first lookup.
      isMember: (id, address) => {
        const group = table.groups.get(id);
        return group?.partial === true || group?.members.has(address) === true;
      },
      portsOf: (address) => portsOf(table, address),
    },
    dnsServers(table.services),
  );
}
