/** The part of one pod's table that comes from policies: its two directions, and the groups that they need. */

import { Recent } from '../../common/recent.ts';
import { compareTexts } from '../key.ts';
import type { ContainerPort, Direction, NetworkPolicy, Pod } from '../model.ts';
import type { PodsPeer, ResolvedPeer } from '../rules/index.ts';
import { matchesSelector, policyRef, resolveRules } from '../rules/index.ts';
import type { DirectionTable, TablePeer, TableRule } from '../table/index.ts';
import { groupId } from './live_group.ts';

/** Every pod of the cluster. */
const EVERY_POD: PodsPeer = {
  kind: 'pods',
  namespaceSelector: { matchLabels: {}, matchExpressions: [] },
};

/** One policy's rules in one direction, and the groups that they ask for or need. */
interface PolicyRules {
  readonly rules: readonly TableRule[];
  readonly groups: readonly string[];
}

/** The part of a policy's rules that is the same for all pods. */
interface Common {
  /** Names of ports that ingress rules ask for: they resolve at the subject. */
  readonly portNames: ReadonlySet<string>;
  /** By direction and rule. */
  readonly peers: Readonly<Record<Direction, readonly (readonly TablePeer[])[]>>;
}

function tablePeer(peer: ResolvedPeer): TablePeer {
  return peer.kind === 'ipBlock' ? peer : { kind: 'group', group: groupId(peer) };
}

/**
 * Whether rules ask any pod of the cluster for its named ports: an egress port by name resolves at the peer, and peers
 * by address, or no peers at all, may be any pod.
 */
function asksEveryPod(policy: NetworkPolicy): boolean {
  return policy.egress.some(
    ({ ports, peers }) =>
      ports.some(({ port }) => typeof port === 'string') &&
      (peers.length === 0 || peers.some(({ kind }) => kind === 'ipBlock')),
  );
}

/** The selectors of all groups that a policy needs, in the directions of its policyTypes. One may be there twice. */
export function groupsOf(policy: NetworkPolicy): PodsPeer[] {
  const asked = policy.policyTypes.flatMap((direction) =>
    resolveRules(policy, direction, []).flatMap(({ peers }) =>
      peers.flatMap((peer) => (peer.kind === 'pods' ? [peer] : [])),
    ),
  );
  return policy.policyTypes.includes('egress') && asksEveryPod(policy) ? [...asked, EVERY_POD] : asked;
}

/** The part of a table that comes from policies. */
export interface TableRules {
  readonly ingress: DirectionTable;
  readonly egress: DirectionTable;
  /** Ids, sorted, each once. */
  readonly groups: readonly string[];
}

/**
 * The most policies that a direction names as isolating, since people do not read longer lists. The rules of all policies are
 * there. 1,000 names are some 50 kB of each table.
 */
const MAX_NAMED = 1_000;

/** For so many kinds of pods the rules of one list of policies are kept. The bound is there because tenants choose the ports. */
const MAX_KINDS = 256;

/** For so many choices of named ports and direction the rules of one policy are kept. */
const MAX_VARIANTS = 16;

/**
 * Makes the rules of tables. Those of one policy are made once for all pods whose named ports are the same, those of all
 * policies once for all pods that the same ones select.
 */
export class RuleCompiler {
  readonly #common = new WeakMap<NetworkPolicy, Common>();
  readonly #made = new WeakMap<NetworkPolicy, Recent<string, PolicyRules>>();
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
  #all(policies: readonly NetworkPolicy[], ports: readonly ContainerPort[]): TableRules {
    const groups = new Set<string>();
    const of = (direction: Direction): DirectionTable => {
      // policyTypes: a policy speaks for the listed directions only; rules of another direction do nothing.
      const isolating = policies.filter(({ policyTypes }) => policyTypes.includes(direction));
      const made = isolating.map((policy) => this.#of(policy, direction, ports));
      for (const one of made) for (const id of one.groups) groups.add(id);
      const named = isolating.slice(0, MAX_NAMED).map(policyRef);
      return { direction, isolating: named, rules: made.flatMap(({ rules }) => rules) };
    };
    const [ingress, egress] = [of('ingress'), of('egress')];
    return { ingress, egress, groups: [...groups].sort(compareTexts) };
  }

  #of(policy: NetworkPolicy, direction: Direction, ports: readonly ContainerPort[]): PolicyRules {
    // Named ports of ingress rules resolve at the subject.
    const named = direction === 'ingress' ? ports.filter(({ name }) => this.#asksFor(policy, name)) : [];
    const key = `${direction} ${JSON.stringify(named)}`;
    const byPorts = this.#made.get(policy) ?? new Recent<string, PolicyRules>(MAX_VARIANTS);
    this.#made.set(policy, byPorts);
    const known = byPorts.get(key);
    if (known !== undefined) return known;
    const peers = this.#commonOf(policy).peers[direction];
    const rules = resolveRules(policy, direction, named).map((rule, place): TableRule => {
      const own = peers[place];
      // Without peers it would admit everybody.
      if (own === undefined) throw new Error(`rule ${place} of ${policy.name} has no list of peers`);
      return { ...rule, peers: own };
    });
    const asked = rules.flatMap(({ peers }) =>
      peers.flatMap((peer) => (peer.kind === 'group' ? [peer.group] : [])),
    );
    const groups = direction === 'egress' && asksEveryPod(policy) ? [...asked, groupId(EVERY_POD)] : asked;
    return byPorts.keep(key, { rules, groups });
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
      resolveRules(policy, direction, []).map(({ peers }) => peers.map(tablePeer));
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
