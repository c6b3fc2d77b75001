/**
 * The guard as nft(8) text: packets whose addresses cannot be what they say, or that carry a route of their own. It judges
 * no policy, so it is a table of its own: it stays while the gate's is replaced.
 */
import { familyOf } from '../../policy/index.ts';
import type { GuardPlan, Hop, NodeAddress, OwnAddresses } from './plan.ts';

/** The guard's tables: packets, and the frames of interfaces that have link-layer addresses. */
export const GUARD_TABLE_NAME = 'sluice_guard';
export const GUARD_TABLE = `inet ${GUARD_TABLE_NAME}`;
export const FRAMES_TABLE = `netdev ${GUARD_TABLE_NAME}`;

/** After defragmentation (-400), before the gate's first chain (raw, -300): what comes later may trust addresses. */
const IN_PRIORITY = -350;

/** After address translation (srcnat, 100): what is seen is what leaves, forwarded packets included. */
const OUT_PRIORITY = 'srcnat + 1';

/** Addresses kept for the log: bounded in number and time. */
const SHOWN_SIZE = 256;
const SHOWN_TIMEOUT_SECONDS = 60;

/** Why the guard drops a packet, as metrics and logs say it. */
export const GUARD_REASONS = ['forged-source', 'forged-node', 'source-route', 'foreign-router'] as const;
/** One of them. */
export type GuardReason = (typeof GUARD_REASONS)[number];

/** The set that counts the packets of a reason, by protocol. */
export const REASONS = {
  'forged-source': 'forged',
  'forged-node': 'misfit',
  'source-route': 'routed',
  'foreign-router': 'steered',
} as const satisfies Readonly<Record<GuardReason, string>>;

/** The set of the frames' table that counts. Its packets are `forged-source` as well. */
export const FORGED_FRAMES = 'forged';

/** The comment of an uplink whose frames are looked at. */
export const WITH_LINKS = 'ether';

const FAMILIES = [4, 6] as const;
const TYPES = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;
const HEADERS = { 4: 'ip', 6: 'ip6' } as const;

/** Packets without an address of their own that a pod's kernel has to be able to send. */
const NAMELESS: readonly string[] = [
  'ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept', // DHCP
  'ip saddr 0.0.0.0 ip protocol igmp accept',
  // Duplicate address detection, router solicitation, multicast listener reports.
  'ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld-listener-done, mld2-listener-report } accept',
];

/** The table for packets, in place of what is there. */
export function guardRuleset(plan: GuardPlan): string {
  return `${[
    `table ${GUARD_TABLE}`, // makes it, so that the next line cannot fail
    `delete table ${GUARD_TABLE}`,
    `table ${GUARD_TABLE} {`,
    ...objects().map((line) => `  ${line}`),
    ...chains().map((line) => `  ${line}`),
    '}',
    ...elements(
      'uplinks',
      plan.uplinks.map(
        (name) => `${quoted(name)}${plan.links.includes(name) ? ` comment ${quoted(WITH_LINKS)}` : ''}`,
      ),
    ),
    ...FAMILIES.flatMap((family) => nodeElements(family, plan.nodes)),
    ...elements('routers6', plan.routers),
  ].join('\n')}\n`;
}

/** The change of bindings from one plan to the next; the rest of both is the same. Empty where nothing changes. */
export function changedBindings(before: readonly NodeAddress[], after: readonly NodeAddress[]): string {
  const changed = FAMILIES.filter(
    (family) => nodeElements(family, before).join() !== nodeElements(family, after).join(),
  );
  return changed
    .flatMap((family) => [
      ...['node', 'bound', 'alone'].map((set) => `flush set ${GUARD_TABLE} ${set}${family}`),
      ...nodeElements(family, after),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

function objects(): readonly string[] {
  return [
    'set uplinks { type ifname; }',
    ...Object.values(REASONS).map(
      (set) => `set ${set} { type inet_proto; flags dynamic; size 256; counter; }`,
    ),
    ...FAMILIES.flatMap((family) => {
      const type = TYPES[family];
      const shown = `flags dynamic,timeout; size ${SHOWN_SIZE}; timeout ${SHOWN_TIMEOUT_SECONDS}s; counter;`;
      return [
        `set node${family} { type ${type}; }`,
        `set bound${family} { type ${type} . ether_addr; counter; }`,
        `set alone${family} { type ${type}; }`,
        `set forged_shown${family} { type ${type}; ${shown} }`,
        `set misfit_shown${family} { type ${type} . ether_addr; ${shown} }`,
      ];
    }),
    'set routers6 { type ipv6_addr; }',
  ];
}

function chains(): readonly string[] {
  // Routes in packets, RFC 5095, RFC 8754, RFC 7126: they steer packets past what judges them by their destination.
  const dropping = (reason: GuardReason, more: readonly string[] = []): readonly string[] => [
    `chain drop_${REASONS[reason]} {`,
    `  update @${REASONS[reason]} { meta l4proto }`,
    ...more.map((line) => `  ${line}`),
    '  drop',
    '}',
  ];
  return [
    ...dropping('source-route'),
    ...dropping('foreign-router'),
    ...dropping(
      'forged-source',
      FAMILIES.map((family) => `update @forged_shown${family} { ${HEADERS[family]} saddr }`),
    ),
    ...dropping(
      'forged-node',
      FAMILIES.map((family) => `update @misfit_shown${family} { ${HEADERS[family]} saddr . ether saddr }`),
    ),
    ...FAMILIES.flatMap((family) => [
      `chain own_node${family} {`,
      `  ${HEADERS[family]} saddr . ether saddr @bound${family} accept`,
      `  ${HEADERS[family]} saddr @alone${family} accept`,
      '  goto drop_misfit',
      '}',
    ]),
    'chain routed4 {',
    '  ip option lsrr exists goto drop_routed',
    '  ip option ssrr exists goto drop_routed',
    '}',
    'chain in {',
    `  type filter hook prerouting priority ${IN_PRIORITY}; policy accept;`,
    '  iif lo accept',
    '  meta nfproto ipv6 goto in6',
    '  ip hdrlength > 5 jump routed4',
    // A pod has no use for another way than its gateway's. Not counted: routers send them in good faith.
    '  icmp type redirect drop',
    '  ip saddr @node4 goto own_node4',
    '}',
    'chain in6 {',
    '  exthdr rt exists goto drop_routed',
    '  meta l4proto ipv6-icmp jump in_icmp6',
    '  ip6 saddr @node6 goto own_node6',
    '}',
    'chain in_icmp6 {',
    '  icmpv6 type nd-redirect drop',
    '  icmpv6 type nd-router-advert ip6 saddr != @routers6 goto drop_steered',
    // How the link-layer address of the node itself is found out.
    '  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
    '}',
    'chain out {',
    `  type filter hook postrouting priority ${OUT_PRIORITY}; policy accept;`,
    '  oif lo accept',
    '  oifname != @uplinks accept',
    '  meta nfproto ipv6 goto out6',
    '  ip hdrlength > 5 jump routed4',
    '  ip saddr 127.0.0.0/8 goto drop_forged',
    '  fib saddr type local accept',
    ...NAMELESS.filter((line) => line.startsWith('ip ')).map((line) => `  ${line}`),
    '  goto drop_forged',
    '}',
    'chain out6 {',
    '  exthdr rt exists goto drop_routed',
    '  ip6 saddr ::1 goto drop_forged',
    '  fib saddr type local accept',
    ...NAMELESS.filter((line) => line.startsWith('ip6 ')).map((line) => `  ${line}`),
    '  goto drop_forged',
    '}',
  ];
}

/**
 * The table for frames, in place of what is there: what a raw packet socket sends is seen nowhere else.
 * Protocols that a pod has no use for do not leave. Needs a kernel with CONFIG_NETFILTER_EGRESS, 5.16 or later.
 */
export function framesRuleset(plan: GuardPlan, own: OwnAddresses): string {
  const of = (family: 4 | 6) => own.addresses.filter((address) => familyOf(address) === family);
  return `${[
    `table ${FRAMES_TABLE}`,
    `delete table ${FRAMES_TABLE}`,
    ...(plan.links.length === 0
      ? []
      : [
          `table ${FRAMES_TABLE} {`,
          '  set own4 { type ipv4_addr; }',
          '  set own6 { type ipv6_addr; }',
          '  set own_links { type ether_addr; }',
          `  set ${FORGED_FRAMES} { type ether_addr; flags dynamic; size ${SHOWN_SIZE}; counter; }`,
          '  chain out {',
          `    type filter hook egress devices = { ${plan.links.map(quoted).join(', ')} } priority 0; policy drop;`,
          '    ether saddr != @own_links goto drop_forged',
          '    ether type ip ip saddr @own4 accept',
          '    ether type ip6 icmpv6 type { nd-router-advert, nd-redirect } goto drop_forged',
          '    ether type ip6 ip6 saddr @own6 accept',
          '    ether type arp arp saddr ether @own_links arp saddr ip @own4 accept',
          '    ether type arp arp saddr ether @own_links arp saddr ip 0.0.0.0 arp operation request accept',
          ...NAMELESS.map((line) => `    ether type ${line.startsWith('ip6') ? 'ip6' : 'ip'} ${line}`),
          '    goto drop_forged',
          '  }',
          '  chain drop_forged {',
          `    update @${FORGED_FRAMES} { ether saddr }`,
          '    drop',
          '  }',
          '}',
          ...ownElements(own.links, 'own_links'),
          ...FAMILIES.flatMap((family) => ownElements(of(family), `own${family}`)),
        ]),
  ].join('\n')}\n`;
}

/** The change of the frames' table when the pod's own addresses have changed. */
export function changedOwn(own: OwnAddresses): string {
  const of = (family: 4 | 6) => own.addresses.filter((address) => familyOf(address) === family);
  return [
    ...(['own4', 'own6', 'own_links'] as const).map((set) => `flush set ${FRAMES_TABLE} ${set}`),
    ...ownElements(own.links, 'own_links'),
    ...FAMILIES.flatMap((family) => ownElements(of(family), `own${family}`)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** Takes the guard out; no error where there is none. */
export const REMOVED_GUARD = `table ${GUARD_TABLE}\ndelete table ${GUARD_TABLE}\n`;
export const REMOVED_FRAMES = `table ${FRAMES_TABLE}\ndelete table ${FRAMES_TABLE}\n`;

/** The kernel keeps what the redirect step found: who reads it later does not depend on routes that came since. */
function nodeElements(family: 4 | 6, nodes: readonly NodeAddress[]): readonly string[] {
  const own = nodes.filter(({ address }) => familyOf(address) === family);
  const bound = own.flatMap(({ address, binding }) =>
    binding.kind === 'link' ? [`${address} . ${binding.link}`] : [],
  );
  const alone = own.flatMap(({ address, binding }) =>
    binding.kind === 'address-alone' ? [`${address} comment ${quoted(binding.why)}`] : [],
  );
  return [
    ...elements(
      `node${family}`,
      own.map(({ address, from, hop }) => `${address} comment ${quoted(nodeComment(from, hop))}`),
    ),
    ...elements(`bound${family}`, bound),
    ...elements(`alone${family}`, alone),
  ];
}

/** `gateway via 10.0.0.1 dev eth0`; `kept_plan.ts` reads it back. */
function nodeComment(from: NodeAddress['from'], hop: Hop | undefined): string {
  return hop === undefined ? from : `${from} via ${hop.address} dev ${hop.device}`;
}

function elements(set: string, list: readonly string[]): readonly string[] {
  return list.length === 0 ? [] : [`add element ${GUARD_TABLE} ${set} { ${list.join(', ')} }`];
}

function ownElements(list: readonly string[], set: string): readonly string[] {
  return list.length === 0 ? [] : [`add element ${FRAMES_TABLE} ${set} { ${list.join(', ')} }`];
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', "'")}"`;
}
