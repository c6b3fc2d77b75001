/** The gate as nft(8) text: the whole table, or the change from one plan to the next. Each text is one transaction. */
import { INJECTOR_MARK, INJECTOR_MARK_MASK } from '../../kernel/index.ts';
import { changedPairs, type DirectionPlan, familyOf, type GatePlan } from '../plan/index.ts';
import { chainName, goneChains, newChains, WAYS, type Way } from './chains.ts';
import { changedHook, loadingRules, serviceChains, serviceObjects } from './service_rules.ts';

/** The gate's table; nothing else is in it. */
export const GATE_TABLE = 'inet sluice';
/** Its name, without the family. */
export const GATE_TABLE_NAME = 'sluice';

/** SYNs: before connection tracking (-200), so that a flood of them costs no entries; after defragmentation (-400). */
const SYN_PRIORITY = 'raw';

/** What else comes in: after connection tracking, before TPROXY (mangle, -150). */
const INGRESS_PRIORITY = 'mangle - 5';

/** Egress: after the translation of Services (`service_rules.ts`), so that policy sees the backend. */
const EGRESS_PRIORITY = 'filter';

/**
 * Denied peers and ports kept for the explanation: bounded in number and time. Reading a full set is what a flood costs the
 * sidecar, every 2 s.
 */
export const DENIED_SIZE = 2_048;
export const DENIED_TIMEOUT_SECONDS = 60;

/** How long the sidecar is given to end a connection that policy allows no longer. */
const ENDING_SECONDS = 5;
/** Such connections that are remembered, of each family, and how long. */
const REVOKED_SIZE = 4_096;
const REVOKED_SECONDS = 60;

/** Settings of the gate that do not come from the table. */
export interface GateSettings {
  /** What a denied SYN gets: silence, or a reset before any handshake. */
  readonly deny: 'drop' | 'reset';
  /** What an isolated pod gets of protocols that NetworkPolicy does not speak of (ICMP echo and all others). */
  readonly otherProtocols: 'accept' | 'drop';
  /** Health and metrics of the sidecar: open to everybody, at a bounded rate; nobody gets to another socket on this port. */
  readonly adminPort: number;
  /** TCP ports that the own node always reaches; absent: everything. */
  readonly nodePorts?: readonly number[] | undefined;
  /** Where the injector's tables are: the sidecar reaches it whatever policy says, else no policy could ever be taken back. */
  readonly injector?: { readonly address: string; readonly port: number } | undefined;
}

/** Denials of a direction that are answered by a reset, a second; others are dropped: sources may be made up. */
const RESETS_PER_SECOND = 1000;

/** New connections to the admin port a second from one address; a scraper needs one in some seconds. */
const ADMIN_SYNS_PER_SECOND = 20;
/** Addresses whose rate is kept. */
const ADMIN_SOURCES = 4096;

/** SYNs to the admin port that are refused as by a closed port, a second, while the sidecar does not have it. */
const ADMIN_RESETS_PER_SECOND = 1000;

const FAMILIES = [4, 6] as const;
const IP_WORDS = [
  ['ip', 4],
  ['ip6', 6],
] as const;

const ISOLATED_PROTOCOLS = '{ tcp, udp, sctp }';
const NEIGHBOURS =
  'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert, nd-redirect, mld-listener-query, mld-listener-report, mld2-listener-report } accept';
/** How long an element of the sets of full ports stays, should the sidecar not renew it. */
const FULL_SECONDS = 2;

/** Compared with `syn`: a packet that opens a TCP connection. */
const FLAGS = 'flags & (fin | syn | rst | ack)';

/** What an isolated pod may send whatever rules say. */
const ALWAYS_SENT: readonly string[] = [
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

/**
 * Replaces what is there by this plan, all but the elements of Services: `serviceSlices` has them.
 * @param matchesSockets whether the kernel can look at the socket that a packet meets (CONFIG_NFT_SOCKET). Without that the
 * admin port is open to everybody, whoever has it.
 */
export function wholeRuleset(plan: GatePlan, settings: GateSettings, matchesSockets = true): string {
  const lines = [
    `table ${GATE_TABLE}`, // makes it, so that the next line cannot fail
    `delete table ${GATE_TABLE}`,
    `table ${GATE_TABLE} {`,
    ...FAMILIES.flatMap((family) => [
      `  set node${family} { type ${type(family)}; }`,
      `  set own${family} { type ${type(family)}; }`,
    ]),
    ...serviceObjects(),
    // Ports whose apps have a full accept queue: the sidecar puts them in, and they go by themselves.
    ...FAMILIES.map(
      (family) =>
        `  set full${family} { type ${type(family)} . inet_service; flags timeout; timeout ${FULL_SECONDS}s; }`,
    ),
    ...revokedObjects().map((line) => `  ${line}`),
    ...WAYS.flatMap((way) => wayObjects(way, settings)),
    ...adminObjects(matchesSockets).map((line) => `  ${line}`),
    ...injectorObjects(settings).map((line) => `  ${line}`),
    ...serviceChains(plan.egress.services),
    ...WAYS.flatMap((way) => wayChains(way, plan[way.direction])),
    ...hooks(settings).map((line) => `  ${line}`),
    '}',
  ];
  const filled = [...changes(undefined, plan), ...loadingRules(plan.egress.services)];
  return `${lines.join('\n')}\n${filled.join('\n')}\n`;
}

/**
 * Anybody may ask for health and metrics, but not so often that it costs the flows anything. The sidecar's listener is the only
 * transparent one on its port: an app cannot make one without NET_ADMIN or NET_RAW. So an app that takes the port while the
 * sidecar is down is reached by nobody from outside, its own node included, whose probe would take it for the sidecar.
 */
function adminObjects(matchesSockets: boolean): readonly string[] {
  const over = `limit rate over ${ADMIN_SYNS_PER_SECOND}/second burst ${ADMIN_SYNS_PER_SECOND} packets`;
  return [
    ...FAMILIES.map(
      (family) =>
        `set admin${family} { type ${type(family)}; flags dynamic,timeout; size ${ADMIN_SOURCES}; timeout 10s; }`,
    ),
    'chain admin_own {',
    ...FROM_NODE.map((from) => `  ${from} accept`),
    `  update @admin4 { ip saddr ${over} } goto in_deny`,
    `  update @admin6 { ip6 saddr ${over} } goto in_deny`,
    '  accept',
    '}',
    'chain admin {',
    ...(matchesSockets
      ? [
          '  socket transparent 1 goto admin_own',
          '  update @in_dropped { meta l4proto }',
          `  limit rate ${ADMIN_RESETS_PER_SECOND}/second burst ${ADMIN_RESETS_PER_SECOND} packets reject with tcp reset`,
          '  drop',
        ]
      : ['  goto admin_own']),
    '}',
  ];
}

/** A transaction that changes nothing, and that only a kernel takes which can look at the socket that a packet meets. */
export const SOCKET_MATCH_PROBE = `table inet sluice_try {
  chain try { socket transparent 1 accept; }
}
delete table inet sluice_try
`;

/**
 * A connection that is older than the policy. The sidecar destroys its socket, so that both ends hear of it: until then its
 * packets are dropped, as a reset from here reaches the app only. Where the sidecar does not, its next packet ends it here.
 */
function revokedObjects(): readonly string[] {
  const sets = FAMILIES.flatMap((family) => {
    const ofType = `type ${type(family)} . inet_service . inet_service; flags dynamic,timeout; size ${REVOKED_SIZE}`;
    return [
      `set ending${family} { ${ofType}; timeout ${ENDING_SECONDS}s; }`,
      `set revoked${family} { ${ofType}; timeout ${REVOKED_SECONDS}s; }`,
    ];
  });
  const flows = [
    ['ip daddr . tcp sport . tcp dport', 4],
    ['ip6 daddr . tcp sport . tcp dport', 6],
  ] as const;
  return [
    ...sets,
    'chain out_revoked {',
    ...flows.map(([flow, family]) => `  ${flow} @ending${family} drop`),
    ...flows.map(([flow, family]) => `  ${flow} @revoked${family} reject with tcp reset`),
    ...flows.map(
      ([flow, family]) => `  add @ending${family} { ${flow} } add @revoked${family} { ${flow} } drop`,
    ),
    '  reject with tcp reset', // more than are kept
    '}',
  ];
}

/** Sets, maps and the chains that never change. */
function wayObjects({ name, peer }: Way, settings: GateSettings): readonly string[] {
  return [
    // All that is dropped, by protocol.
    `  set ${name}_dropped { type inet_proto; flags dynamic; size 256; counter; }`,
    ...FAMILIES.flatMap((family) => [
      `  set ${name}_denied${family} { type ${type(family)} . inet_proto . inet_service; flags dynamic,timeout; size ${DENIED_SIZE}; timeout ${DENIED_TIMEOUT_SECONDS}s; counter; }`,
      `  map ${name}_pods${family} { type ${type(family)} : verdict; }`,
      `  map ${name}_blocks${family} { type ${type(family)} : verdict; flags interval; }`,
    ]),
    `  chain ${name}_deny {`,
    `    update @${name}_dropped { meta l4proto }`,
    `    meta nfproto ipv4 update @${name}_denied4 { ip ${peer} . meta l4proto . th dport }`,
    `    meta nfproto ipv6 update @${name}_denied6 { ip6 ${peer} . meta l4proto . th dport }`,
    ...(name === 'out' ? [`    tcp ${FLAGS} != syn goto out_revoked`] : []),
    ...(settings.deny === 'reset'
      ? [
          `    meta l4proto tcp limit rate ${RESETS_PER_SECOND}/second burst ${RESETS_PER_SECOND} packets reject with tcp reset`,
        ]
      : []),
    '    drop',
    '  }',
    `  chain ${name}_others {`,
    ...(settings.otherProtocols === 'accept'
      ? ['    accept']
      : [`    update @${name}_dropped { meta l4proto }`, '    drop']),
    '  }',
  ];
}

/**
 * The look-ups, and a chain for each access. These are made with the table and not added later: nft 1.0 makes the
 * elements of a new interval map before chains that follow the table.
 */
function wayChains(way: Way, plan: DirectionPlan): readonly string[] {
  const { name, peer } = way;
  return [
    `  chain ${name}_rest { }`,
    `  chain ${name}_isolated {`,
    // A virtual address that was not translated has no backend that may be reached; it is in no block, whatever blocks say.
    ...(name === 'out'
      ? IP_WORDS.map(
          ([ip, family]) => `    ${ip} daddr . meta l4proto . th dport @services${family} goto out_deny`,
        )
      : []),
    ...IP_WORDS.map(([ip, family]) => `    ${ip} ${peer} vmap @${name}_pods${family}`),
    ...IP_WORDS.map(([ip, family]) => `    ${ip} ${peer} vmap @${name}_blocks${family}`),
    `    goto ${name}_rest`,
    '  }',
    // Decides for what the hook has left: `accept`, or on to the look-ups.
    `  chain ${name}_subject { }`,
    ...newChains(way, undefined, plan).flatMap(([made, rules]) => [
      `  chain ${made} {`,
      ...rules.map((rule) => `    ${rule}`),
      '  }',
    ]),
  ];
}

/** The pod's own node. */
const FROM_NODE: readonly string[] = ['ip saddr @node4', 'ip6 saddr @node6'];

/** What may come in whatever rules say, and however it is tracked. */
function alwaysTaken({ nodePorts }: GateSettings): readonly string[] {
  const ports = nodePorts === undefined ? '' : `tcp dport { ${nodePorts.join(', ')} } `;
  return [
    'iif lo accept', // localhost, the pod to itself, sidecar to app
    ...FROM_NODE.map((from) => `${from} ${ports}accept`),
  ];
}

function hooks(settings: GateSettings): readonly string[] {
  const indented = (rules: readonly string[]): readonly string[] => rules.map((rule) => `  ${rule}`);
  return [
    'chain syns {',
    `  type filter hook prerouting priority ${SYN_PRIORITY}; policy drop;`,
    '  meta l4proto != tcp accept',
    `  tcp ${FLAGS} != syn accept`,
    `  iif != lo tcp dport ${settings.adminPort} goto admin`,
    ...indented(alwaysTaken(settings)),
    '  ip daddr . tcp dport @full4 drop',
    '  ip6 daddr . tcp dport @full6 drop',
    '  jump in_subject',
    '}',
    'chain ingress {',
    `  type filter hook prerouting priority ${INGRESS_PRIORITY}; policy drop;`,
    `  tcp ${FLAGS} == syn accept`, // judged above
    ...indented(alwaysTaken(settings)),
    '  ct direction reply accept', // answers to what the pod opened
    '  meta l4proto { icmp, ipv6-icmp } ct state related accept', // errors of its flows
    `  ${NEIGHBOURS}`,
    // The proxy has every later packet of a connection, but for excluded ports: it ends what is no longer allowed.
    '  meta l4proto tcp ct state established accept',
    '  jump in_subject',
    '}',
    'chain egress {',
    `  type filter hook output priority ${EGRESS_PRIORITY}; policy drop;`,
    ...toInjector(settings),
    '  jump out_subject',
    '}',
  ];
}

/** The Service's address is not translated here: the node picks the injector, as for pods that nothing isolates. */
function toInjector({ injector }: GateSettings): readonly string[] {
  if (injector === undefined) return [];
  return IP_WORDS.map(([ip, family]) => `  ${ip} daddr . tcp dport @injector${family} goto to_injector`);
}

/**
 * The sidecar always reaches the injector, nobody else of the pod ever does, and policy has no say in either: an app could
 * use up what one address may have there, and its own sidecar would be locked out.
 */
function injectorObjects({ injector }: GateSettings): readonly string[] {
  if (injector === undefined) return [];
  return [
    ...FAMILIES.map((family) => `set injector${family} { type ${type(family)} . inet_service; }`),
    'chain to_injector {',
    `  tcp ${FLAGS} != syn accept`,
    `  meta mark & ${INJECTOR_MARK_MASK} == ${INJECTOR_MARK} accept`,
    '  update @out_dropped { meta l4proto }',
    '  reject with tcp reset',
    '}',
  ];
}

/**
 * The change from the plan in force to the next, but for the elements of Services. Empty when nothing else changes. Only
 * elements that differ are touched. Chains come before the elements that lead to them, and go after those.
 */
export function changedRuleset(before: GatePlan, after: GatePlan): string {
  const added: string[] = [];
  const gone: string[] = [];
  for (const way of WAYS) {
    const [from, to] = [before[way.direction], after[way.direction]];
    for (const [name, rules] of newChains(way, from, to)) {
      added.push(
        `add chain ${GATE_TABLE} ${name}`,
        ...rules.map((rule) => `add rule ${GATE_TABLE} ${name} ${rule}`),
      );
    }
    for (const name of goneChains(way, from, to)) {
      gone.push(`flush chain ${GATE_TABLE} ${name}`, `delete chain ${GATE_TABLE} ${name}`);
    }
  }
  const lines = [...added, ...changes(before, after), ...gone];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** All but the chains of accesses. `before` is `undefined` for a table that is new and empty. */
function changes(before: GatePlan | undefined, after: GatePlan): readonly string[] {
  const lines: string[] = [];
  if (before?.nodeIPs.join() !== after.nodeIPs.join()) lines.push(...addressElements('node', after.nodeIPs));
  if ((before?.injectors ?? []).join() !== after.injectors.join())
    lines.push(...addressElements('injector', after.injectors));
  if (before?.ownIPs.join() !== after.ownIPs.join()) lines.push(...addressElements('own', after.ownIPs));
  for (const way of WAYS) lines.push(...wayChanges(way, before?.[way.direction], after[way.direction]));
  return lines;
}

function wayChanges(way: Way, before: DirectionPlan | undefined, after: DirectionPlan): readonly string[] {
  const { name } = way;
  const lines: string[] = [];
  if (before?.isolated !== after.isolated) lines.push(...subjectRules(way, after.isolated));
  if (before?.rest !== after.rest) {
    lines.push(
      `flush chain ${GATE_TABLE} ${name}_rest`,
      `add rule ${GATE_TABLE} ${name}_rest goto ${chainName(way, after.rest)}`,
    );
  }
  const lead = (id: string): string => ` : goto ${chainName(way, id)}`;
  for (const family of FAMILIES) {
    lines.push(
      ...changedElements(`${name}_pods${family}`, before?.pods[family], after.pods[family], lead),
      ...changedElements(`${name}_blocks${family}`, before?.blocks[family], after.blocks[family], lead),
    );
  }
  if (name === 'out') lines.push(...changedHook(before?.services, after.services));
  return lines;
}

/** Takes the gate out; no error where there is none. */
export const REMOVED_RULESET = `table ${GATE_TABLE}\ndelete table ${GATE_TABLE}\n`;

function subjectRules({ name }: Way, isolated: boolean): readonly string[] {
  const rules = isolated
    ? [
        ...(name === 'out' ? ALWAYS_SENT : []),
        `meta l4proto ${ISOLATED_PROTOCOLS} goto ${name}_isolated`,
        `goto ${name}_others`,
      ]
    : ['accept']; // what is not isolated pays one rule
  return [
    `flush chain ${GATE_TABLE} ${name}_subject`,
    ...rules.map((rule) => `add rule ${GATE_TABLE} ${name}_subject ${rule}`),
  ];
}

function addressElements(name: 'node' | 'own' | 'injector', list: readonly string[]): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const addresses = list.filter((address) => familyOf(address) === family);
    const set = `${GATE_TABLE} ${name}${family}`;
    return [
      `flush set ${set}`,
      ...(addresses.length === 0 ? [] : [`add element ${set} { ${addresses.join(', ')} }`]),
    ];
  });
}

/** @param suffix what follows the key of an element: the verdict of a map, nothing in a set */
function changedElements(
  object: string,
  before: ReadonlyMap<string, string> | undefined,
  after: ReadonlyMap<string, string>,
  suffix: (id: string) => string,
): readonly string[] {
  const { added, removed } = changedPairs(before, after);
  const listed = (pairs: typeof added): string => pairs.map(([key, id]) => `${key}${suffix(id)}`).join(', ');
  const lines: string[] = [];
  if (removed.length > 0) lines.push(`delete element ${GATE_TABLE} ${object} { ${listed(removed)} }`);
  if (added.length > 0) lines.push(`add element ${GATE_TABLE} ${object} { ${listed(added)} }`);
  return lines;
}

function type(family: 4 | 6): string {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}
