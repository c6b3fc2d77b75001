/** The gate as nft(8) text: the whole table, or the change from one plan to the next. Each text is one transaction. */
import { type Access, isAllPorts, rangeText } from './access.ts';
import { familyOf, type GatePlan } from './plan.ts';

/** The gate's table; nothing else is in it. */
export const GATE_TABLE = 'inet sluice';
/** The same, as libnftables-json(5) names it. */
export const GATE_TABLE_JSON = { family: 'inet', table: 'sluice' } as const;

/** Before TPROXY (mangle, -150), after connection tracking (-200). */
const HOOK_PRIORITY = 'mangle - 5';

/**
 * Denied peers and ports kept for the explanation: bounded in number and time, so that a flood costs a known amount
 * of kernel memory (about 4 MB).
 */
export const DENIED_SIZE = 16_384;
export const DENIED_TIMEOUT_SECONDS = 60;

/** Settings of the gate that do not come from the table. */
export interface GateSettings {
  /** What a denied SYN gets: silence, or a reset before any handshake. */
  readonly deny: 'drop' | 'reset';
  /** What an isolated pod gets of protocols that NetworkPolicy does not speak of (ICMP echo and all others). */
  readonly otherProtocols: 'accept' | 'drop';
  /** Health and metrics of the sidecar: open to everybody, at a bounded rate. */
  readonly adminPort: number;
}

/** New connections to the admin port a second, from all but the own node; scrapers need one in some seconds. */
const ADMIN_SYNS_PER_SECOND = 100;

const FAMILIES = [4, 6] as const;

/** Replaces whatever is there by this plan. */
export function wholeRuleset(plan: GatePlan, settings: GateSettings): string {
  const lines = [
    `table ${GATE_TABLE}`, // makes it, so that the next line cannot fail
    `delete table ${GATE_TABLE}`,
    `table ${GATE_TABLE} {`,
    '  counter dropped { }',
    ...FAMILIES.flatMap((family) => [
      `  set node${family} { type ${type(family)}; }`,
      `  set denied${family} { type ${type(family)} . inet_proto . inet_service; flags dynamic,timeout; size ${DENIED_SIZE}; timeout ${DENIED_TIMEOUT_SECONDS}s; counter; }`,
      `  map pods${family} { type ${type(family)} : verdict; }`,
      `  map blocks${family} { type ${type(family)} : verdict; flags interval; }`,
    ]),
    '  chain deny {',
    '    counter name dropped',
    '    meta nfproto ipv4 update @denied4 { ip saddr . meta l4proto . th dport }',
    '    meta nfproto ipv6 update @denied6 { ip6 saddr . meta l4proto . th dport }',
    ...(settings.deny === 'reset' ? ['    meta l4proto tcp reject with tcp reset'] : []),
    '    drop',
    '  }',
    '  chain others {',
    ...(settings.otherProtocols === 'accept' ? ['    accept'] : ['    counter name dropped', '    drop']),
    '  }',
    '  chain rest { }',
    '  chain isolated {',
    '    ip saddr vmap @pods4',
    '    ip6 saddr vmap @pods6',
    '    ip saddr vmap @blocks4',
    '    ip6 saddr vmap @blocks6',
    '    goto rest',
    '  }',
    // Decides for every packet that may start something: `accept`, or on to the look-ups.
    '  chain subject { }',
    '  chain ingress {',
    `    type filter hook prerouting priority ${HOOK_PRIORITY}; policy drop;`,
    '    iif lo accept', // localhost, the pod to itself, sidecar to app
    '    ct direction reply accept', // answers to what the pod opened
    '    ct state related accept', // ICMP errors of its flows
    '    ip saddr @node4 accept', // the pod's own node
    '    ip6 saddr @node6 accept',
    '    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert, nd-redirect, mld-listener-query } accept',
    // The proxy has every later packet of a connection: it ends what is no longer allowed.
    '    tcp flags & (fin | syn | rst | ack) != syn accept',
    // Anybody may ask for health and metrics, but not so often that it costs the flows anything.
    `    tcp dport ${settings.adminPort} limit rate ${ADMIN_SYNS_PER_SECOND}/second burst ${ADMIN_SYNS_PER_SECOND} packets accept`,
    `    tcp dport ${settings.adminPort} drop`,
    '    jump subject',
    '  }',
    // In here, not added later: nft 1.0 makes the elements of a new interval map before chains that follow the table.
    ...[...plan.accesses].flatMap(([id, access]) => [
      `  chain ${chain(id)} {`,
      ...accessRules(access).map((rule) => `    ${rule}`),
      '  }',
    ]),
    '}',
  ];
  return `${lines.join('\n')}\n${changes(undefined, plan).join('\n')}\n`;
}

/**
 * The change from the plan in force to the next. Empty when nothing changes. Only elements that differ are touched.
 * Chains come before the elements that lead to them, and go after those.
 */
export function changedRuleset(before: GatePlan, after: GatePlan): string {
  const lines: string[] = [];
  for (const [id, access] of after.accesses) {
    if (before.accesses.has(id)) continue;
    lines.push(`add chain ${GATE_TABLE} ${chain(id)}`);
    for (const rule of accessRules(access)) lines.push(`add rule ${GATE_TABLE} ${chain(id)} ${rule}`);
  }
  lines.push(...changes(before, after));
  for (const id of before.accesses.keys()) {
    if (after.accesses.has(id)) continue;
    lines.push(`flush chain ${GATE_TABLE} ${chain(id)}`, `delete chain ${GATE_TABLE} ${chain(id)}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** All but the chains of accesses. `before` is `undefined` for a table that is new and empty. */
function changes(before: GatePlan | undefined, after: GatePlan): readonly string[] {
  const lines: string[] = [];
  if (before?.isolated !== after.isolated) lines.push(...subjectRules(after.isolated));
  if (before?.rest !== after.rest) {
    lines.push(`flush chain ${GATE_TABLE} rest`, `add rule ${GATE_TABLE} rest goto ${chain(after.rest)}`);
  }
  if (before?.nodeIPs.join() !== after.nodeIPs.join()) lines.push(...nodeElements(after.nodeIPs));
  for (const family of FAMILIES) {
    lines.push(...changedElements(`pods${family}`, before?.pods[family], after.pods[family]));
    lines.push(...changedElements(`blocks${family}`, before?.blocks[family], after.blocks[family]));
  }
  return lines;
}

/** Takes the gate out; no error where there is none. */
export const REMOVED_RULESET = `table ${GATE_TABLE}\ndelete table ${GATE_TABLE}\n`;

function subjectRules(isolated: boolean): readonly string[] {
  const rules = isolated ? ['meta l4proto { tcp, udp, sctp } goto isolated', 'goto others'] : ['accept'];
  return [
    `flush chain ${GATE_TABLE} subject`,
    ...rules.map((rule) => `add rule ${GATE_TABLE} subject ${rule}`),
  ];
}

function accessRules(access: Access): readonly string[] {
  const rules = [...access].map(([protocol, ranges]) => {
    const name = protocol.toLowerCase();
    if (ranges.some(isAllPorts)) return `meta l4proto ${name} accept`;
    return `${name} dport { ${ranges.map(rangeText).join(', ')} } accept`;
  });
  return [...rules, 'goto deny'];
}

function nodeElements(nodeIPs: readonly string[]): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const addresses = nodeIPs.filter((address) => familyOf(address) === family);
    const set = `${GATE_TABLE} node${family}`;
    return [
      `flush set ${set}`,
      ...(addresses.length === 0 ? [] : [`add element ${set} { ${addresses.join(', ')} }`]),
    ];
  });
}

function changedElements(
  map: string,
  before: ReadonlyMap<string, string> | undefined,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  const gone: string[] = [];
  const come: string[] = [];
  for (const [key, id] of before ?? []) {
    if (after.get(key) !== id) gone.push(`${key} : goto ${chain(id)}`);
  }
  for (const [key, id] of after) {
    if (before?.get(key) !== id) come.push(`${key} : goto ${chain(id)}`);
  }
  const lines: string[] = [];
  if (gone.length > 0) lines.push(`delete element ${GATE_TABLE} ${map} { ${gone.join(', ')} }`);
  if (come.length > 0) lines.push(`add element ${GATE_TABLE} ${map} { ${come.join(', ')} }`);
  return lines;
}

function chain(id: string): string {
  return `access_${id}`;
}

function type(family: 4 | 6): string {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}
