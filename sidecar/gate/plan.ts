/**
 * What the gate has to let in, worked out from the pod's table: for each address one access, found by one look-up in
 * the kernel however many rules and peers there are. Pure. It says the same as the judge that the proxy asks.
 */
import { createHash } from 'node:crypto';
import type { Table, TablePort } from '../../policy/index.ts';
import { type Access, accessOf, accessText } from './access.ts';
import { type Family, type RuleBlock, RuledRanges } from './address_ranges.ts';

/** Who may reach what. Accesses are named by id, a short hash of their text. */
export interface GatePlan {
  readonly revision: number;
  /** A pod that no policy isolates is open: every packet passes. */
  readonly isolated: boolean;
  readonly accesses: ReadonlyMap<string, Access>;
  /** Access of each pod that some rule names by a selector, blocks included. By address. */
  readonly pods: Readonly<Record<Family, ReadonlyMap<string, string>>>;
  /** Access of all other addresses that some block has. By range, `from-to` or one address. */
  readonly blocks: Readonly<Record<Family, ReadonlyMap<string, string>>>;
  /** Access of everybody else. */
  readonly rest: string;
  /** The pod's own node. */
  readonly nodeIPs: readonly string[];
}

const ID_HEX_DIGITS = 16;
const FAMILIES: readonly Family[] = [4, 6];

/** The ingress plan of a table. Source: `spec.ingress` of the policies in it. */
export function gatePlan(table: Table): GatePlan {
  const { isolating, rules } = table.ingress;
  const accesses = new AccessIds(rules.map((rule) => rule.ports));
  // A rule without peers admits everybody.
  const everybody = rules.flatMap((rule, ordinal) => (rule.peers.length === 0 ? [ordinal] : []));
  const ranges = rangesByFamily(table);
  const plan = {
    revision: table.revision,
    isolated: isolating.length > 0,
    rest: accesses.of(everybody),
    pods: { 4: new Map<string, string>(), 6: new Map<string, string>() },
    blocks: { 4: new Map<string, string>(), 6: new Map<string, string>() },
    nodeIPs: table.subject.nodeIPs,
  };
  for (const [address, named] of rulesByPod(table)) {
    const family = familyOf(address);
    plan.pods[family].set(address, accesses.of([...everybody, ...named, ...ranges[family].find(address)]));
  }
  for (const family of FAMILIES) {
    for (const { from, to, rules: admitting } of ranges[family].list) {
      plan.blocks[family].set(
        from === to ? from : `${from}-${to}`,
        accesses.of([...everybody, ...admitting]),
      );
    }
  }
  return { ...plan, accesses: accesses.byId };
}

/** The revision of the closed plan; tables have greater ones. */
export const CLOSED_REVISION = 0;

/** Before the first table: nothing passes but what always does. */
export function closedPlan(nodeIPs: readonly string[]): GatePlan {
  const accesses = new AccessIds([]);
  return {
    revision: CLOSED_REVISION,
    isolated: true,
    rest: accesses.of([]),
    pods: { 4: new Map(), 6: new Map() },
    blocks: { 4: new Map(), 6: new Map() },
    nodeIPs,
    accesses: accesses.byId,
  };
}

/** IP version of a canonical address. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** Ids of accesses by the rules that make them up; many addresses share few. */
class AccessIds {
  readonly byId = new Map<string, Access>();
  readonly #ports: readonly (readonly TablePort[])[];
  readonly #byRules = new Map<string, string>();

  constructor(ports: readonly (readonly TablePort[])[]) {
    this.#ports = ports;
  }

  of(rules: readonly number[]): string {
    const distinct = [...new Set(rules)].sort((a, b) => a - b);
    const key = distinct.join();
    const known = this.#byRules.get(key);
    if (known !== undefined) return known;
    const access = accessOf(distinct.map((rule) => this.#ports[rule] ?? []));
    const id = createHash('sha256').update(accessText(access)).digest('hex').slice(0, ID_HEX_DIGITS);
    this.byId.set(id, access);
    this.#byRules.set(key, id);
    return id;
  }
}

/** The rules that name each pod by a selector. Members that the directory does not list count for nothing. */
function rulesByPod(table: Table): ReadonlyMap<string, readonly number[]> {
  const named = new Map<string, number[]>();
  for (const [ordinal, rule] of table.ingress.rules.entries()) {
    for (const peer of rule.peers) {
      if (peer.kind !== 'group') continue;
      const members = Object.hasOwn(table.groups, peer.group)
        ? (table.groups[peer.group]?.members ?? [])
        : [];
      for (const address of members) {
        if (!Object.hasOwn(table.pods, address)) continue;
        const rules = named.get(address);
        if (rules === undefined) named.set(address, [ordinal]);
        else rules.push(ordinal);
      }
    }
  }
  return named;
}

function rangesByFamily(table: Table): Readonly<Record<Family, RuledRanges>> {
  const blocks: RuleBlock[] = table.ingress.rules.flatMap((rule, ordinal) =>
    rule.peers.flatMap((peer) =>
      peer.kind === 'ipBlock' ? [{ cidr: peer.cidr, except: peer.except, rule: ordinal }] : [],
    ),
  );
  return { 4: new RuledRanges(4, blocks), 6: new RuledRanges(6, blocks) };
}
