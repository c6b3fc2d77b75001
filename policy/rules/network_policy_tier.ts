/** The tier of NetworkPolicies, evaluated from objects: it passes on pods that no policy isolates, and else goes by the rules. */

import type { Cluster, NetworkPolicy, Pod } from '../model.ts';
import { PASS, type TierAnswer } from '../verdict.ts';
import { nearestMisses } from './near_miss.ts';
import { peerMatches } from './peer.ts';
import { portMatches } from './ports.ts';
import { isolatingPolicies, policiesByNamespace, policyRef, resolveRules } from './rules.ts';
import type { EvaluatorTier, SubjectFlow } from './tier.ts';

/** The NetworkPolicies of a cluster, which must not change afterwards. */
export class NetworkPolicyTier implements EvaluatorTier {
  readonly #policies: ReadonlyMap<string, readonly NetworkPolicy[]>;

  constructor(cluster: Cluster) {
    this.#policies = policiesByNamespace(cluster);
  }

  evaluate(subject: Pod, flow: SubjectFlow): TierAnswer {
    const { direction, peer, protocol, port } = flow;
    const isolating = isolatingPolicies(this.#policies.get(subject.namespace) ?? [], subject, direction);
    // A pod that no policy selects for this direction is not isolated: this tier has no say.
    if (isolating.length === 0) return PASS;
    // An isolated pod gets the union of what its policies allow; each rule needs one of its peers and one of its ports.
    const rules = isolating.flatMap((policy) => resolveRules(policy, direction, subject.ports));
    const peerPorts = peer.pod?.ports ?? [];
    const rule = rules.find(
      ({ peers, ports }) =>
        // from / to: absent or empty, every peer. ports: absent or empty, every port of every protocol.
        (peers.length === 0 || peers.some((test) => peerMatches(test, peer))) &&
        (ports.length === 0 || ports.some((test) => portMatches(test, direction, protocol, port, peerPorts))),
    );
    if (rule !== undefined)
      return { verdict: 'allow', direction, reason: 'rule', policy: rule.policy, rule: rule.index };
    const near = nearestMisses(rules, flow);
    return {
      verdict: 'deny',
      direction,
      reason: 'no-rule',
      isolating: isolating.map(policyRef),
      ...(near.length === 0 ? {} : { near }),
    };
  }
}
