/** Which policies isolate an end, and which ports their rules open to each peer. */
import {
  type Cluster,
  type ContainerPort,
  type Direction,
  isolatingPolicies,
  type NetworkPolicy,
  objectKey,
  type PolicyRef,
  policiesByNamespace,
  policyRef,
  type ResolvedRule,
  resolveRules,
} from '../../policy/index.ts';
import type { Peer, PeerTests } from './peer_tests.ts';
import { ALL_PORTS, allOf, NO_PORTS, type PortRange, type PortSet, portSet, union } from './port_set.ts';

type TablePort = ResolvedRule['ports'][number];

/** A rule of a policy that isolates. */
export interface IsolatingRule {
  readonly policy: PolicyRef;
  readonly direction: Direction;
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  readonly index: number;
}

/** A rule that opens ports to a peer, and which. */
export interface Opening {
  readonly rule: IsolatingRule;
  readonly ports: PortSet;
}

interface CompiledRule {
  readonly rule: IsolatingRule;
  /** What the rule opens: equal for rules of any cluster that open the same to the same peers. */
  readonly meaning: string;
  /** Numbers of peer tests; undefined: everybody. */
  readonly peers: readonly number[] | undefined;
  /** The ports where the peer does not matter. */
  readonly fixed: PortSet;
  /** Of names that the peer's ports give a meaning. */
  readonly named: readonly TablePort[];
}

/** What isolates some ends in one direction. */
export class Isolation {
  /** Of no other in its cluster. */
  readonly key: string;
  readonly policies: readonly PolicyRef[];
  /** Equal for isolations of any cluster that open the same to the same peers. */
  readonly meaning: string;
  readonly #rules: readonly CompiledRule[];
  /** By the rules that open them, and the ports that names stand for. */
  readonly #opened = new Map<string | number, PortSet>();
  /** By peer, where there are too many rules to go through them again. */
  readonly #known = new Map<number, PortSet>();

  constructor(key: string, policies: readonly PolicyRef[], rules: readonly CompiledRule[]) {
    this.key = key;
    this.policies = policies;
    this.meaning = JSON.stringify(rules.map(({ meaning }) => meaning));
    this.#rules = rules;
  }

  /** All ports that rules open to a peer: an isolated end gets the union of what its policies allow. */
  opened(peer: Peer): PortSet {
    if (this.#rules.length <= MAX_MASK) return this.#openedByMask(peer);
    const known = this.#known.get(peer.id);
    if (known !== undefined) return known;
    const opened = union(this.openings(peer).map(({ ports }) => ports));
    this.#known.set(peer.id, opened);
    return opened;
  }

  /** The commonest case, asked for each of a million pairs: few sets come of it, and nothing is kept for each peer. */
  #openedByMask(peer: Peer): PortSet {
    let mask = 0;
    let hasNames = false;
    for (let at = 0; at < this.#rules.length; at += 1) {
      const rule = this.#rules[at];
      if (rule === undefined || (rule.peers !== undefined && !isOneOf(peer, rule.peers))) continue;
      mask |= 1 << at;
      if (rule.named.length > 0) hasNames = true;
    }
    if (mask === 0) return NO_PORTS;
    const key = hasNames ? `${mask} ${peer.portsKey}` : mask;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const opened = union(this.openings(peer).map(({ ports }) => ports));
    this.#opened.set(key, opened);
    return opened;
  }

  /** The same, rule by rule, in the order in which the engine asks them. */
  openings(peer: Peer): readonly Opening[] {
    return this.#rules
      .filter(({ peers }) => peers === undefined || isOneOf(peer, peers))
      .map(({ rule, fixed, named }) => ({ rule, ports: withNamed(fixed, named, peer.ports) }))
      .filter(({ ports }) => ports.ranges.length > 0);
  }
}

/** Rules that have a bit each. Numbers have 32, with a sign. */
const MAX_MASK = 16;

function isOneOf({ is }: Peer, peers: readonly number[]): boolean {
  for (const number of peers) if (is.has(number)) return true;
  return false;
}

/** A named port of egress is one that the peer declares. */
function withNamed(fixed: PortSet, named: readonly TablePort[], declared: readonly ContainerPort[]): PortSet {
  const meant = named.flatMap(({ name, protocol }) =>
    declared
      .filter((port) => port.name === name && port.protocol === protocol)
      .map(({ port }): PortRange => ({ protocol, first: port, last: port })),
  );
  return meant.length === 0 ? fixed : portSet([...fixed.ranges, ...meant]);
}

/** Finds what isolates ends; ends of the same get the same object. */
export class Isolations {
  readonly #policies: ReadonlyMap<string, readonly NetworkPolicy[]>;
  readonly #tests: PeerTests;
  readonly #known = new Map<string, Isolation>();
  readonly #rules = new Map<string, readonly CompiledRule[]>();

  /** Numbers the peers of all rules. */
  constructor(cluster: Cluster, tests: PeerTests) {
    this.#policies = policiesByNamespace(cluster);
    this.#tests = tests;
    for (const policy of cluster.policies.values())
      for (const direction of policy.policyTypes) this.#compile(policy, direction, []);
  }

  /**
   * @param pod one that policy can select
   * @returns undefined: no policy isolates it
   */
  of(
    pod: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
    direction: Direction,
    ports: readonly ContainerPort[],
  ): Isolation | undefined {
    const policies = isolatingPolicies(this.#policies.get(pod.namespace) ?? [], pod, direction);
    if (policies.length === 0) return undefined;
    const own = direction === 'ingress' ? ports : [];
    const key = JSON.stringify([direction, pod.namespace, policies.map(({ name }) => name), own]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const rules = policies.flatMap((policy) => this.#compile(policy, direction, own));
    const isolation = new Isolation(key, policies.map(policyRef), rules);
    this.#known.set(key, isolation);
    return isolation;
  }

  #compile(
    policy: NetworkPolicy,
    direction: Direction,
    ports: readonly ContainerPort[],
  ): readonly CompiledRule[] {
    const key = JSON.stringify([direction, objectKey(policy.namespace, policy.name), ports]);
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const rules = resolveRules(policy, direction, ports).map((rule): CompiledRule => {
      const isNamed = ({ from, name }: TablePort) => from === undefined && name !== undefined;
      return {
        rule: { policy: rule.policy, direction, index: rule.index },
        meaning: JSON.stringify([rule.peers, rule.ports]),
        peers: rule.peers.length === 0 ? undefined : rule.peers.map((peer) => this.#tests.number(peer)),
        fixed:
          rule.ports.length === 0
            ? ALL_PORTS
            : portSet(rule.ports.filter((port) => !isNamed(port)).map(rangeOf)),
        // A name that the subject of an ingress rule does not have admits nothing.
        named: direction === 'egress' ? rule.ports.filter(isNamed) : [],
      };
    });
    this.#rules.set(key, rules);
    return rules;
  }
}

function rangeOf({ protocol, from, to }: TablePort): PortRange {
  return from === undefined ? allOf(protocol) : { protocol, first: from, last: to ?? from };
}
