/** The part of one pod's table that comes from policies: its two directions, and the groups that they need. */

import { Recent } from '../../common/recent.ts';
import { compareTexts } from '../key.ts';
import type { ContainerPort, Direction, NetworkPolicy, Pod } from '../model.ts';
import type { ResolvedRule } from '../rules/index.ts';
import { matchesSelector, policyRef, resolveRules } from '../rules/index.ts';
import {
  type DirectionTable,
  directionOf,
  type PolicyRules,
  policyKey,
  type TablePeer,
  type TableRule,
} from '../table/index.ts';
import { EVERY_POD, type GroupTest, groupId } from './live_group.ts';

/** One policy's rules, and the groups that they ask for or need. */
interface CompiledPolicy {
  readonly rules: PolicyRules;
  readonly groups: readonly string[];
}

/** The part of a policy's rules that is the same for all pods. */
interface Common {
  /** Names of ports that ingress rules ask for: they resolve at the subject. */
  readonly portNames: ReadonlySet<string>;
  /** By direction and rule. */
  readonly peers: Readonly<Record<Direction, readonly (readonly TablePeer[])[]>>;
}

/** The groups that a rule's peers are. A named port of an egress rule is that of the pod it leads to: the group has these. */
function testsOf({ ports, peers }: ResolvedRule, direction: Direction): (GroupTest | undefined)[] {
  const isNamed = direction === 'egress' && ports.some(({ name }) => name !== undefined);
  return peers.map((peer) => {
    if (peer.kind === 'ipBlock') return undefined;
    return isNamed ? { ...peer, withPorts: true } : peer;
  });
}

function tablePeers(rule: ResolvedRule, direction: Direction): TablePeer[] {
  const tests = testsOf(rule, direction);
  return rule.peers.flatMap((peer, place): TablePeer[] => {
    if (peer.kind === 'ipBlock') return [peer];
    const test = tests[place];
    return test === undefined ? [] : [{ kind: 'group', group: groupId(test) }];
  });
}

/**
 * Whether rules ask any pod of the cluster for its named ports: an egress port by name resolves at the peer, and peers
 * by address, or no peers at all, may be any pod.
 */
function asksEveryPod(policy: NetworkPolicy): boolean {
  return (
    policy.policyTypes.includes('egress') &&
    policy.egress.some(
      ({ ports, peers }) =>
        ports.some(({ port }) => typeof port === 'string') &&
        (peers.length === 0 || peers.some(({ kind }) => kind === 'ipBlock')),
    )
  );
}

/** What all groups that a policy needs are made of, in the directions of its policyTypes. One may be there twice. */
export function groupsOf(policy: NetworkPolicy): GroupTest[] {
  const asked = policy.policyTypes.flatMap((direction) =>
    resolveRules(policy, direction, []).flatMap((rule) =>
      testsOf(rule, direction).flatMap((test) => test ?? []),
    ),
  );
  return asksEveryPod(policy) ? [...asked, EVERY_POD] : asked;
}

/** The part of a table that comes from policies. */
export interface TableRules {
  /** By `policyKey`, in the order of their names. */
  readonly policies: ReadonlyMap<string, PolicyRules>;
  readonly ingress: DirectionTable;
  readonly egress: DirectionTable;
  /** Ids, sorted, each once. */
  readonly groups: readonly string[];
}

/** For so many kinds of pods the rules of one list of policies are kept. The bound is there because tenants choose the ports. */
const MAX_KINDS = 256;

/** For so many choices of named ports the rules of one policy are kept. */
const MAX_VARIANTS = 16;

/**
 * Makes the rules of tables. Those of one policy are made once for all pods whose named ports are the same, those of all
 * policies once for all pods that the same ones select.
 */
export class RuleCompiler {
  readonly #common = new WeakMap<NetworkPolicy, Common>();
  readonly #made = new WeakMap<NetworkPolicy, Recent<string, CompiledPolicy>>();
  /** By a namespace's list of policies, and then by which of them select a pod, and its named ports. */
  readonly #rules = new WeakMap<readonly NetworkPolicy[], Recent<string, TableRules>>();

  /** @param policies of the pod's namespace, by name */
  rules(policies: readonly NetworkPolicy[], pod: Pod): TableRules {
    const selecting = policies.flatMap((policy, index) => (selects(policy, pod) ? [index] : []));
    // Only those that are asked for: pods that differ in others have the same rules.
    const ports = pod.ports.filter(({ name }) =>
      selecting.some((index) => this.#asksFor(policies[index], name)),
    );
    const kept = this.#rules.get(policies) ?? new Recent<string, TableRules>(MAX_KINDS);
    this.#rules.set(policies, kept);
    const key = `${selecting.join()} ${JSON.stringify(ports)}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const all = selecting.flatMap((index) => policies[index] ?? []);
    return kept.keep(key, this.#all(all, ports));
  }

  /** @param policies all that select a pod */
  #all(selecting: readonly NetworkPolicy[], ports: readonly ContainerPort[]): TableRules {
    const groups = new Set<string>();
    const policies = new Map<string, PolicyRules>();
    for (const policy of selecting) {
      const { rules, groups: own } = this.#of(policy, ports);
      policies.set(policyKey(rules.policy), rules);
      for (const id of own) groups.add(id);
    }
    return {
      policies,
      ingress: directionOf('ingress', policies.values()),
      egress: directionOf('egress', policies.values()),
      groups: [...groups].sort(compareTexts),
    };
  }

  #of(policy: NetworkPolicy, ports: readonly ContainerPort[]): CompiledPolicy {
    // Named ports of ingress rules resolve at the subject.
    const named = ports.filter(({ name }) => this.#asksFor(policy, name));
    const key = JSON.stringify(named);
    const byPorts = this.#made.get(policy) ?? new Recent<string, CompiledPolicy>(MAX_VARIANTS);
    this.#made.set(policy, byPorts);
    const known = byPorts.get(key);
    if (known !== undefined) return known;
    // policyTypes: a policy speaks for the listed directions only; rules of another direction do nothing.
    const own = policy.policyTypes.map((direction) => [
      direction,
      this.#rulesOf(policy, direction, direction === 'ingress' ? named : []),
    ]) satisfies [Direction, readonly TableRule[]][];
    const asked = own.flatMap(([, rules]) =>
      rules.flatMap(({ peers }) => peers.flatMap((peer) => (peer.kind === 'group' ? [peer.group] : []))),
    );
    return byPorts.keep(key, {
      rules: { policy: policyRef(policy), ...Object.fromEntries(own) },
      groups: asksEveryPod(policy) ? [...asked, groupId(EVERY_POD)] : asked,
    });
  }

  #rulesOf(
    policy: NetworkPolicy,
    direction: Direction,
    named: readonly ContainerPort[],
  ): readonly TableRule[] {
    const peers = this.#commonOf(policy).peers[direction];
    return resolveRules(policy, direction, named).map((rule, place): TableRule => {
      const own = peers[place];
      // Without peers it would admit everybody.
      if (own === undefined) throw new Error(`rule ${place} of ${policy.name} has no list of peers`);
      return { ...rule, peers: own };
    });
  }

  #asksFor(policy: NetworkPolicy | undefined, name: string | undefined): boolean {
    return policy !== undefined && name !== undefined && this.#commonOf(policy).portNames.has(name);
  }

  #commonOf(policy: NetworkPolicy): Common {
    const known = this.#common.get(policy);
    if (known !== undefined) return known;
    const names = policy.ingress.flatMap(({ ports }) =>
      ports.flatMap(({ port }) => (typeof port === 'string' ? [port] : [])),
    );
    const peersOf = (direction: Direction) =>
      resolveRules(policy, direction, []).map((rule) => tablePeers(rule, direction));
    const common = {
      portNames: new Set(names),
      peers: { ingress: peersOf('ingress'), egress: peersOf('egress') },
    };
    this.#common.set(policy, common);
    return common;
  }
}

function selects(policy: NetworkPolicy, pod: Pod): boolean {
  return policy.namespace === pod.namespace && matchesSelector(policy.podSelector, pod.labels);
}
