/**
 * What the gate has to let through, worked out from the pod's table: for each address one access, found by one look-up
 * in the kernel however many rules and peers there are. Pure. It says the same as the judge that the proxy asks.
 */
import { createHash } from 'node:crypto';
import type { ContainerPort, Direction, Protocol, Table, TablePort, TableRule } from '../../policy/index.ts';
import { type Access, accessOf, accessText, admits } from './access.ts';
import { type Family, type RuleBlock, RuledRanges } from './address_ranges.ts';

/** One direction: who may reach the pod (ingress), or whom the pod may reach (egress). */
export interface DirectionPlan {
  /** A pod that no policy isolates is open: every packet passes. */
  readonly isolated: boolean;
  /** Accesses by id, a short hash of their text. */
  readonly accesses: ReadonlyMap<string, Access>;
  /** Access of each pod that some rule names by a selector, blocks included. By address. */
  readonly pods: Readonly<Record<Family, ReadonlyMap<string, string>>>;
  /** Access of all other addresses that some block has. By range, `from-to` or one address. */
  readonly blocks: Readonly<Record<Family, ReadonlyMap<string, string>>>;
  /** Access of everybody else. */
  readonly rest: string;
  /**
   * Virtual ports of Services, `10.96.0.10 . tcp . 80`, with the id of the backends that may be reached, or
   * `NO_BACKEND`. Egress only.
   */
  readonly virtual: Readonly<Record<Family, ReadonlyMap<string, string>>>;
  /** Backends by id. */
  readonly backends: ReadonlyMap<string, Backends>;
}

/** Where connections to a virtual port may go; one of them is taken for each. */
export interface Backends {
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly list: readonly { readonly address: string; readonly port: number }[];
}

/** The id of a virtual port none of whose ready backends may be reached. */
export const NO_BACKEND = '';

/** Both directions of one table. */
export interface GatePlan {
  readonly revision: number;
  readonly ingress: DirectionPlan;
  readonly egress: DirectionPlan;
  /** The pod's own node: always allowed, both ways. */
  readonly nodeIPs: readonly string[];
}

const ID_HEX_DIGITS = 16;
const FAMILIES: readonly Family[] = [4, 6];

/** The plan of a table. Source: `spec.ingress` and `spec.egress` of the policies in it. */
export function gatePlan(table: Table): GatePlan {
  return {
    revision: table.revision,
    ingress: new Planner(table, 'ingress').plan(),
    egress: new Planner(table, 'egress').plan(),
    nodeIPs: table.subject.nodeIPs,
  };
}

/** The revision of the closed plan; tables have greater ones. */
export const CLOSED_REVISION = 0;

/** Before the first table: nothing passes but what always does. */
export function closedPlan(nodeIPs: readonly string[]): GatePlan {
  const accesses = new AccessIds([]);
  const closed: DirectionPlan = {
    isolated: true,
    rest: accesses.of([]),
    pods: { 4: new Map(), 6: new Map() },
    blocks: { 4: new Map(), 6: new Map() },
    virtual: { 4: new Map(), 6: new Map() },
    backends: new Map(),
    accesses: accesses.byId,
  };
  return { revision: CLOSED_REVISION, ingress: closed, egress: closed, nodeIPs };
}

/** IP version of a canonical address. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** Works out one direction. */
class Planner {
  readonly #table: Table;
  readonly #direction: Direction;
  readonly #rules: readonly TableRule[];
  readonly #accesses: AccessIds;
  /** Rules without peers: they admit everybody. */
  readonly #everybody: readonly number[];
  readonly #ranges: Readonly<Record<Family, RuledRanges>>;
  readonly #named: ReadonlyMap<string, readonly number[]>;

  constructor(table: Table, direction: Direction) {
    const { rules } = table[direction];
    this.#table = table;
    this.#direction = direction;
    this.#rules = rules;
    this.#accesses = new AccessIds(rules.map((rule) => rule.ports));
    this.#everybody = rules.flatMap((rule, ordinal) => (rule.peers.length === 0 ? [ordinal] : []));
    this.#ranges = rangesByFamily(rules);
    this.#named = rulesByPod(table, rules);
  }

  plan(): DirectionPlan {
    const isolated = this.#table[this.#direction].isolating.length > 0;
    const pods = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    const blocks = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    for (const address of this.#podAddresses()) pods[familyOf(address)].set(address, this.#accessOf(address));
    for (const family of FAMILIES) {
      for (const { from, to, rules } of this.#ranges[family].list) {
        blocks[family].set(
          from === to ? from : `${from}-${to}`,
          this.#accesses.of([...this.#everybody, ...rules]),
        );
      }
    }
    const rest = this.#accesses.of(this.#everybody);
    return { isolated, rest, pods, blocks, ...this.#services(isolated), accesses: this.#accesses.byId };
  }

  /** Pods whose access is not that of their address alone: those that rules select, and those with named ports. */
  #podAddresses(): Iterable<string> {
    if (this.#direction === 'ingress' || !this.#rules.some((rule) => rule.ports.some(isNamed)))
      return this.#named.keys();
    const declaring = Object.entries(this.#table.pods).filter(([, pod]) => pod.ports.length > 0);
    return new Set([...this.#named.keys(), ...declaring.map(([address]) => address)]);
  }

  #accessOf(address: string): string {
    const rules = [
      ...this.#everybody,
      ...(this.#named.get(address) ?? []),
      ...this.#ranges[familyOf(address)].find(address),
    ];
    // A named port of an egress rule is that of the pod it leads to.
    const declared = this.#direction === 'egress' ? ownPorts(this.#table, address) : [];
    return this.#accesses.of(rules, declared);
  }

  /** A Service is its backends: the kernel of the pod itself picks one of those that policy lets it reach. */
  #services(isolated: boolean): Pick<DirectionPlan, 'virtual' | 'backends'> {
    const virtual = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    const byId = new Map<string, Backends>();
    if (this.#direction === 'ingress' || !isolated) return { virtual, backends: byId };
    for (const [key, { backends, affinitySeconds }] of Object.entries(this.#table.services)) {
      const [address = '', target = ''] = key.split(' ');
      const [protocol = '', port = ''] = target.split('/');
      const word = protocol.toLowerCase() as Backends['protocol'];
      const reachable = backends.filter((one) => this.#reaches(one.address, protocol as Protocol, one.port));
      // This pod is the only client: affinity is one backend, the same as long as the backends are.
      const list =
        affinitySeconds === undefined ? reachable : onlyOne(reachable, `${this.#table.subject.uid} ${key}`);
      const family = familyOf(address);
      virtual[family].set(
        `${address} . ${word} . ${port}`,
        backendsId(byId, { family, protocol: word, list }),
      );
    }
    return { virtual, backends: byId };
  }

  #reaches(address: string, protocol: Protocol, port: number): boolean {
    const { ips, nodeIPs } = this.#table.subject;
    if (ips.includes(address) || nodeIPs.includes(address)) return true;
    return admits(this.#accesses.byId.get(this.#accessOf(address)), protocol, port);
  }
}

/** Ids of accesses by the rules that make them up; many addresses share few. */
class AccessIds {
  readonly byId = new Map<string, Access>();
  readonly #ports: readonly (readonly TablePort[])[];
  readonly #byRules = new Map<string, string>();

  constructor(ports: readonly (readonly TablePort[])[]) {
    this.#ports = ports;
  }

  /** @param declared the ports that names in the rules stand for */
  of(rules: readonly number[], declared: readonly ContainerPort[] = []): string {
    const names = declared.map(({ name, protocol, port }) => `${name}=${protocol}/${port}`);
    // As they come: thousands of addresses share few lists, which need no sorting to be known.
    const key = `${rules.join()} ${names.join()}`;
    const known = this.#byRules.get(key);
    if (known !== undefined) return known;
    const distinct = [...new Set(rules)];
    const access = accessOf(
      distinct.map((rule) => this.#ports[rule] ?? []),
      declared,
    );
    const id = shortHash(accessText(access));
    this.byId.set(id, access);
    this.#byRules.set(key, id);
    return id;
  }
}

function backendsId(byId: Map<string, Backends>, backends: Backends): string {
  if (backends.list.length === 0) return NO_BACKEND;
  const id = shortHash(JSON.stringify(backends));
  byId.set(id, backends);
  return id;
}

/** One of the backends, for a key the same as long as it is there: others may come and go. */
function onlyOne(backends: Backends['list'], key: string): Backends['list'] {
  const weighed = backends.map((one) => ({ one, weight: shortHash(`${key} ${one.address} ${one.port}`) }));
  weighed.sort((a, b) => (a.weight < b.weight ? -1 : 1));
  return weighed.slice(0, 1).map(({ one }) => one);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, ID_HEX_DIGITS);
}

function isNamed({ from, name }: TablePort): boolean {
  return from === undefined && name !== undefined;
}

function ownPorts(table: Table, address: string): readonly ContainerPort[] {
  return Object.hasOwn(table.pods, address) ? (table.pods[address]?.ports ?? []) : [];
}

/** The rules that name each pod by a selector. Members that the directory does not list count for nothing. */
function rulesByPod(table: Table, rules: readonly TableRule[]): ReadonlyMap<string, readonly number[]> {
  const named = new Map<string, number[]>();
  for (const [ordinal, rule] of rules.entries()) {
    for (const peer of rule.peers) {
      if (peer.kind !== 'group') continue;
      const members = Object.hasOwn(table.groups, peer.group)
        ? (table.groups[peer.group]?.members ?? [])
        : [];
      for (const address of members) {
        if (!Object.hasOwn(table.pods, address)) continue;
        const known = named.get(address);
        if (known === undefined) named.set(address, [ordinal]);
        else known.push(ordinal);
      }
    }
  }
  return named;
}

function rangesByFamily(rules: readonly TableRule[]): Readonly<Record<Family, RuledRanges>> {
  const blocks: RuleBlock[] = rules.flatMap((rule, ordinal) =>
    rule.peers.flatMap((peer) =>
      peer.kind === 'ipBlock' ? [{ cidr: peer.cidr, except: peer.except, rule: ordinal }] : [],
    ),
  );
  return { 4: new RuledRanges(4, blocks), 6: new RuledRanges(6, blocks) };
}
