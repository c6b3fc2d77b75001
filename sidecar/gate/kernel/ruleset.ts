/** The gate's whole table as nft(8) text. It is one transaction. */
import type { Direction } from '../../../policy/index.ts';
import { APP_LEG_MARK } from '../../kernel/index.ts';
import { type GateChange, type GatePlan, gateChanges, Pace, type Steps } from '../plan/index.ts';
import { lookUpRules, NONE_COMMON } from './common_access.ts';
import { alwaysTaken, NEIGHBOURS } from './exemptions.ts';
import { type GateKernel, WHOLE_KERNEL } from './gate_kernel.ts';
import { ADDRESS_TYPES, chainName, FAMILIES, GATE_TABLE, HEADERS, TCP_FLAGS, WAYS } from './names.ts';
import { accessRules, nftText } from './nft_text.ts';
import { adminObjects, injectorObjects, toInjector } from './own_ports.ts';
import { revokedObjects } from './revoked.ts';
import { loadingRules, serviceChains, serviceObjects } from './service_rules.ts';
import type { GateSettings } from './settings.ts';
import { UNMET_TOTALS_SET, unmetChain, unmetSet } from './unmet_rules.ts';

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

/** Denials of a direction that are answered by a reset, a second; others are dropped: sources may be made up. */
const RESETS_PER_SECOND = 1000;

/** How long an element of the sets of full ports stays, should the sidecar not renew it. */
const FULL_SECONDS = 2;

/**
 * Has connection tracking count the bytes of flows, for the records of outbound ones: the kernel switches `nf_conntrack_acct` on, in this
 * network namespace only, when a rule comes that reads them. The rule need not be reached, so no packet pays for it. The setting
 * stays when the rule goes. Source: nft_ct_get_init() of net/netfilter/nft_ct.c.
 */
const COUNTING: readonly string[] = ['chain counting {', '  ct bytes > 0', '}'];

/** Bits of marks that Sluice uses; those of others may be set beside them. */
const MARK_MASK = 0xfff;

/**
 * Of a connection that comes in, connection tracking reports that its handshake is complete, and none of the other six changes: making
 * and filtering a message takes as long as all rules for a packet. A client that completes its handshake with a FIN never gets that
 * far: of it all changes are reported. So they are where connection tracking still has an earlier connection with the same addresses and
 * ports, since that one was complete already. Not of one that the pod has opened, whose peer may send a SYN as well. The direct path reads
 * the reports. Of the proxy's own connections to apps nothing is reported: `related` is over when they come here.
 * Source: __nf_conntrack_eventmask_report() of net/netfilter/nf_conntrack_ecache.c.
 */
function opening(limitsReports: boolean): readonly string[] {
  const limits = [
    '  ct direction original ct status & assured == 0 ct event set assured accept',
    '  ct direction original ct event set assured,protoinfo',
  ];
  const leg = `  iif lo meta mark & ${MARK_MASK} == ${APP_LEG_MARK} ct event set related accept`;
  return [
    'chain opening {',
    ...(limitsReports ? [leg] : []),
    '  iif lo accept',
    ...(limitsReports ? limits : []),
    '  accept',
    '}',
  ];
}

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** Takes the gate out; no error where there is none. */
export const REMOVED_RULESET = `table ${GATE_TABLE}\ndelete table ${GATE_TABLE}\n`;

/**
 * Replaces what is there by this plan, all but the elements of Services: `serviceSlices` has them.
 * @param kernel what it cannot do: without `matchesSockets` the admin port is open to everybody, also where an app has taken it
 * @param common accesses whose pods are in sets
 */
export function* wholeRuleset(
  plan: GatePlan,
  settings: GateSettings,
  kernel: Partial<GateKernel> = {},
  common = NONE_COMMON,
): Steps<string> {
  const { services } = plan.egress;
  const { matchesSockets, limitsReports } = { ...WHOLE_KERNEL, ...kernel };
  const changes = yield* gateChanges(undefined, plan);
  const [ingress, egress] = [yield* accessChains('ingress', changes), yield* accessChains('egress', changes)];
  const lines = [
    `table ${GATE_TABLE}`, // makes it, so that the next line cannot fail
    `delete table ${GATE_TABLE}`,
    `table ${GATE_TABLE} {`,
    ...[
      ...FAMILIES.flatMap((family) => [
        `set node${family} { type ${ADDRESS_TYPES[family]}; }`,
        `set own${family} { type ${ADDRESS_TYPES[family]}; }`,
      ]),
      ...serviceObjects(),
      // Ports whose apps have a full accept queue: the sidecar puts them in, and they go by themselves.
      ...FAMILIES.map(
        (family) =>
          `set full${family} { type ${ADDRESS_TYPES[family]} . inet_service; flags timeout; timeout ${FULL_SECONDS}s; }`,
      ),
      ...revokedObjects(),
      UNMET_TOTALS_SET,
      ...DIRECTIONS.flatMap((direction) => directionObjects(direction, settings)),
      ...adminObjects(matchesSockets),
      ...injectorObjects(settings),
      ...serviceChains(services),
      ...lookUps('ingress'),
      ...ingress,
      ...lookUps('egress'),
      ...egress,
      ...COUNTING,
      ...hooks(settings, limitsReports),
    ].map((line) => `  ${line}`),
    '}',
    '',
  ];
  const filled = yield* nftText(
    changes.filter(({ kind }) => kind !== 'access-added'),
    { before: NONE_COMMON, after: common },
  );
  return `${lines.join('\n')}${filled}${loadingRules(services)
    .map((line) => `${line}\n`)
    .join('')}`;
}

/** Sets, maps and the chains that never change. */
function directionObjects(direction: Direction, settings: GateSettings): readonly string[] {
  const { name, peer } = WAYS[direction];
  return [
    // All that is dropped, by protocol.
    `set ${name}_dropped { type inet_proto; flags dynamic; size 256; counter; }`,
    ...FAMILIES.flatMap((family) => [
      `set ${name}_denied${family} { type ${ADDRESS_TYPES[family]} . inet_proto . inet_service; flags dynamic,timeout; size ${DENIED_SIZE}; timeout ${DENIED_TIMEOUT_SECONDS}s; counter; }`,
      unmetSet(direction, family),
      `map ${name}_pods${family} { type ${ADDRESS_TYPES[family]} : verdict; }`,
      `map ${name}_blocks${family} { type ${ADDRESS_TYPES[family]} : verdict; flags interval; }`,
    ]),
    `chain ${unmetChain(direction)} { }`,
    `chain ${name}_deny {`,
    `  update @${name}_dropped { meta l4proto }`,
    ...FAMILIES.map(
      (family) =>
        `  meta nfproto ipv${family} update @${name}_denied${family} { ${HEADERS[family]} ${peer} . meta l4proto . th dport }`,
    ),
    ...(name === 'out' ? [`  tcp ${TCP_FLAGS} != syn goto out_revoked`] : []),
    `  jump ${unmetChain(direction)}`,
    ...(settings.deny === 'reset'
      ? [
          `  meta l4proto tcp limit rate ${RESETS_PER_SECOND}/second burst ${RESETS_PER_SECOND} packets reject with tcp reset`,
        ]
      : []),
    '  drop',
    '}',
    `chain ${name}_others {`,
    ...(settings.otherProtocols === 'accept'
      ? ['  accept']
      : [`  update @${name}_dropped { meta l4proto }`, '  drop']),
    '}',
  ];
}

/** From a peer's address to the chain of its access. */
function lookUps(direction: Direction): readonly string[] {
  const { name } = WAYS[direction];
  return [
    `chain ${name}_rest { }`,
    `chain ${name}_isolated {`,
    ...lookUpRules(direction, NONE_COMMON).map((rule) => `  ${rule}`),
    '}',
    // Decides for what the hook has left: `accept`, or on to the look-ups.
    `chain ${name}_subject { }`,
  ];
}

/**
 * A chain for each access. They are made with the table and not added later: nft 1.0 makes the elements of a new interval map
 * before chains that follow the table.
 */
function* accessChains(direction: Direction, changes: readonly GateChange[]): Steps<readonly string[]> {
  const way = WAYS[direction];
  const lines: string[] = [];
  const pace = new Pace();
  for (const change of changes) {
    if (pace.isDue()) yield;
    if (change.kind !== 'access-added' || change.direction !== direction) continue;
    lines.push(`chain ${chainName(way, change.id)} {`);
    for (const rule of accessRules(way, change.access)) lines.push(`  ${rule}`);
    lines.push('}');
  }
  return lines;
}

function hooks(settings: GateSettings, limitsReports: boolean): readonly string[] {
  const indented = (rules: readonly string[]): readonly string[] => rules.map((rule) => `  ${rule}`);
  return [
    'chain syns {',
    `  type filter hook prerouting priority ${SYN_PRIORITY}; policy drop;`,
    '  meta l4proto != tcp accept',
    `  tcp ${TCP_FLAGS} != syn accept`,
    `  iif != lo tcp dport ${settings.adminPort} goto admin`,
    ...indented(alwaysTaken(settings)),
    '  ip daddr . tcp dport @full4 drop',
    '  ip6 daddr . tcp dport @full6 drop',
    '  jump in_subject',
    '}',
    ...opening(limitsReports),
    'chain ingress {',
    `  type filter hook prerouting priority ${INGRESS_PRIORITY}; policy drop;`,
    `  tcp ${TCP_FLAGS} == syn goto opening`, // judged above
    // Most packets are of open connections. The proxy or the direct path ends those that are no longer allowed.
    '  meta l4proto tcp ct state established ct status assured accept',
    ...(limitsReports
      ? [
          `  tcp ${TCP_FLAGS} == fin | ack ct direction original ct status & assured == 0 ct event set assured,protoinfo`,
        ]
      : []),
    '  meta l4proto tcp ct state established accept',
    ...indented(alwaysTaken(settings)),
    '  ct direction reply accept', // answers to what the pod opened
    '  meta l4proto { icmp, ipv6-icmp } ct state related accept', // errors of its flows
    `  ${NEIGHBOURS}`,
    '  jump in_subject',
    '}',
    'chain egress {',
    `  type filter hook output priority ${EGRESS_PRIORITY}; policy drop;`,
    ...indented(toInjector(settings)),
    '  jump out_subject',
    '}',
  ];
}
