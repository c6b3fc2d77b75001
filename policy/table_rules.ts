/** What of one pod's table comes from policies: its two directions, and the groups they need. */

import { groupId } from './groups.ts';
import { compareTexts } from './key.ts';
import type { ContainerPort, Direction, NetworkPolicy, Pod } from './model.ts';
import type { PodsPeer, ResolvedPeer } from './peer.ts';
import { isolatingPolicies, policyRef, resolveRules } from './rules.ts';
import type { DirectionTable, TablePeer, TableRule } from './table.ts';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

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

/** The selectors of all groups that a policy needs, in the directions it speaks for. One may be there twice. */
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

/** Makes the rules of tables. Those of one policy are made once for all pods whose named ports are the same. */
export class RuleCompiler {
  readonly #made = new WeakMap<NetworkPolicy, Map<string, PolicyRules>>();

  /** @param policies of the pod's namespace, by name */
  rules(policies: readonly NetworkPolicy[], pod: Pod): TableRules {
    const groups = new Set<string>();
    const [ingress, egress] = DIRECTIONS.map((direction): DirectionTable => {
      const isolating = isolatingPolicies(policies, pod, direction);
      const made = isolating.map((policy) => this.#of(policy, direction, pod.ports));
      for (const id of made.flatMap((one) => one.groups)) groups.add(id);
      return { direction, isolating: isolating.map(policyRef), rules: made.flatMap(({ rules }) => rules) };
    }) as [DirectionTable, DirectionTable];
    return { ingress, egress, groups: [...groups].sort(compareTexts) };
  }

  #of(policy: NetworkPolicy, direction: Direction, ports: readonly ContainerPort[]): PolicyRules {
    // Named ports of ingress rules resolve at the subject.
    const named = direction === 'ingress' ? ports.filter(({ name }) => name !== undefined) : [];
    const key = `${direction} ${JSON.stringify(named)}`;
    const byPorts = this.#made.get(policy) ?? new Map<string, PolicyRules>();
    this.#made.set(policy, byPorts);
    const known = byPorts.get(key);
    if (known !== undefined) return known;
    const rules = resolveRules(policy, direction, named).map(
      (rule): TableRule => ({ ...rule, peers: rule.peers.map(tablePeer) }),
    );
    const asked = rules.flatMap(({ peers }) =>
      peers.flatMap((peer) => (peer.kind === 'group' ? [peer.group] : [])),
    );
    const groups = direction === 'egress' && asksEveryPod(policy) ? [...asked, groupId(EVERY_POD)] : asked;
    const made = { rules, groups };
    byPorts.set(key, made);
    return made;
  }
}
