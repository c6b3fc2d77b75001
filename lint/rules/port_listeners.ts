/** Whom the port of a rule is about: the pods that would have to listen there. */
import type { LintedPolicy, LintedRule, Model, Subject } from '../model/index.ts';

/**
 * At ingress the pods that the policy selects, at egress those that the rule's peers mean. Undefined where anybody may be
 * meant, or where they are not all known; also where there is nobody.
 */
export function listenersOf(
  model: Model,
  { policy }: LintedPolicy,
  { direction, rule }: LintedRule,
): readonly Subject[] | undefined {
  const { namespace } = policy;
  if (direction === 'ingress') {
    const selected = model.selected(policy).filter(({ pod }) => !pod.hostNetwork);
    return selected.length === 0 ? undefined : selected;
  }
  if (rule.peers.length === 0 || rule.peers.some((peer) => !model.knowsPeer(peer, namespace)))
    return undefined;
  const found = [...new Set(rule.peers.flatMap((peer) => model.peerSubjects(peer, namespace)))];
  return found.length === 0 ? undefined : found;
}
