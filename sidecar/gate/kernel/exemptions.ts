/** What passes the gate before policy is asked. */
import type { GateSettings } from './settings.ts';

/** Neighbour discovery and multicast listener reports: without them IPv6 does not work at all. */
export const NEIGHBOURS =
  'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert, nd-redirect, mld-listener-query, mld-listener-report, mld2-listener-report } accept';

/** The pod's own node. */
export const FROM_NODE: readonly string[] = ['ip saddr @node4', 'ip6 saddr @node6'];

/** What an isolated pod may always send. */
export const ALWAYS_SENT: readonly string[] = [
  'oif lo accept', // the pod to itself
  'ip daddr @own4 accept', // and through a Service: it is sent over `lo` only after this
  'ip6 daddr @own6 accept',
  'ct direction reply accept', // answers to what came in
  'meta l4proto { icmp, ipv6-icmp } ct state related accept',
  'ip daddr @node4 accept',
  'ip6 daddr @node6 accept',
  NEIGHBOURS,
  'tcp flags rst accept', // ends what is denied
];

/** What may always come in, before and after connection tracking. */
export function alwaysTaken({ nodePorts }: Pick<GateSettings, 'nodePorts'>): readonly string[] {
  const ports = nodePorts === undefined ? '' : `tcp dport { ${nodePorts.join(', ')} } `;
  return [
    'iif lo accept', // localhost, the pod to itself, sidecar to app
    ...FROM_NODE.map((from) => `${from} ${ports}accept`),
  ];
}
