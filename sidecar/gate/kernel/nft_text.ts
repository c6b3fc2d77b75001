/** Writes the changes of a plan as commands of nft(8). */
import { unreachable } from '../../../common/errors.ts';
import { familyOf } from '../../../policy/index.ts';
import { type Access, type GateChange, isAllPorts, Pace, rangeText, type Steps } from '../plan/index.ts';
import { type CommonAccesses, commonCommands, commonSet, NONE_COMMON } from './common_access.ts';
import { ALWAYS_SENT } from './exemptions.ts';
import { chainName, FAMILIES, GATE_TABLE, WAYS, type Way } from './names.ts';
import { translationHook } from './service_rules.ts';
import { unmetRules } from './unmet_rules.ts';

const ISOLATED_PROTOCOLS = '{ tcp, udp, sctp }';

/** The accesses whose pods are in sets, before a transaction and after it. */
export interface CommonChange {
  readonly before: CommonAccesses;
  readonly after: CommonAccesses;
}

const NOTHING_COMMON: CommonChange = { before: NONE_COMMON, after: NONE_COMMON };

/** The changes in their order, to be run as one transaction; empty where there are none. */
export function* nftText(changes: readonly GateChange[], common = NOTHING_COMMON): Steps<string> {
  const lines: string[] = [];
  const pace = new Pace();
  // Accesses are added first and removed last: between, a rule may lead from one to the other.
  const begin = changes.findIndex(({ kind }) => kind !== 'access-added');
  for (const [index, change] of changes.entries()) {
    if (index === begin)
      for (const line of commonCommands(common.before, common.after)) lines.push(`${line}\n`);
    for (const line of yield* commands(change, common)) lines.push(`${line}\n`);
    if (pace.isDue()) yield;
  }
  return lines.join('');
}

function* commands(change: GateChange, common: CommonChange): Steps<readonly string[]> {
  switch (change.kind) {
    case 'access-added': {
      const way = WAYS[change.direction];
      const chain = `${GATE_TABLE} ${chainName(way, change.id)}`;
      return [
        `add chain ${chain}`,
        ...accessRules(way, change.access).map((rule) => `add rule ${chain} ${rule}`),
      ];
    }
    case 'access-removed': {
      const chain = `${GATE_TABLE} ${chainName(WAYS[change.direction], change.id)}`;
      return [`flush chain ${chain}`, `delete chain ${chain}`];
    }
    case 'addresses':
      return addressElements(change.set, change.elements);
    case 'isolation':
      return subjectRules(WAYS[change.direction], change.isolated);
    case 'unmet':
      return unmetRules(change.direction, change.noted);
    case 'rest': {
      const way = WAYS[change.direction];
      const chain = `${GATE_TABLE} ${way.name}_rest`;
      return [`flush chain ${chain}`, `add rule ${chain} goto ${chainName(way, change.access)}`];
    }
    case 'pods':
    case 'blocks':
      return yield* peerElements(change, common);
    case 'translation':
      return translationHook(change.translates);
    default:
      return unreachable(change);
  }
}

/** What the chain of an access has. */
export function accessRules({ name }: Way, access: Access): readonly string[] {
  const rules = [...access].map(([protocol, ranges]) => {
    const word = protocol.toLowerCase();
    if (ranges.some(isAllPorts)) return `meta l4proto ${word} accept`;
    return `${word} dport { ${ranges.map(rangeText).join(', ')} } accept`;
  });
  return [...rules, `goto ${name}_deny`];
}

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

function addressElements(name: string, list: readonly string[]): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const addresses = list.filter((address) => familyOf(address) === family);
    const set = `${GATE_TABLE} ${name}${family}`;
    return [
      `flush set ${set}`,
      ...(addresses.length === 0 ? [] : [`add element ${set} { ${addresses.join(', ')} }`]),
    ];
  });
}

function* peerElements(
  { kind, direction, family, removed, added }: Extract<GateChange, { readonly added: unknown }>,
  { before, after }: CommonChange,
): Steps<readonly string[]> {
  const way = WAYS[direction];
  const map = `${GATE_TABLE} ${way.name}_${kind}${family}`;
  const set = `${GATE_TABLE} ${commonSet(direction, family)}`;
  const [gone, come] = kind === 'pods' ? [before[direction], after[direction]] : [undefined, undefined];
  const [removals, additions] = [yield* listed(way, removed, gone), yield* listed(way, added, come)];
  return [
    ...(removals.map === '' ? [] : [`delete element ${map} { ${removals.map} }`]),
    ...(removals.set === '' ? [] : [`delete element ${set} { ${removals.set} }`]),
    ...(additions.map === '' ? [] : [`add element ${map} { ${additions.map} }`]),
    ...(additions.set === '' ? [] : [`add element ${set} { ${additions.set} }`]),
  ];
}

/** Elements of the map, and of the set of those with the common access. */
function* listed(
  way: Way,
  peers: readonly (readonly [string, string])[],
  common: string | undefined,
): Steps<{ readonly map: string; readonly set: string }> {
  const [map, set]: [string[], string[]] = [[], []];
  const pace = new Pace();
  for (const [peer, id] of peers) {
    if (id === common) set.push(peer);
    else map.push(`${peer} : goto ${chainName(way, id)}`);
    if (pace.isDue()) yield;
  }
  return { map: map.join(', '), set: set.join(', ') };
}
