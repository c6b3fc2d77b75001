/** NP003. */
import { matchesSelector, type NetworkPolicyPeer, namespaceLabels } from '../../policy/index.ts';
import type { Found } from '../finding.ts';
import {
  counted,
  type LintedPolicy,
  type LintedRule,
  listed,
  type Model,
  nameOf,
  rulesIn,
} from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Two entries where one with both selectors was meant. */
export const np003: Rule = {
  code: 'NP003',
  severity: 'error',
  title: 'namespaceSelector and podSelector as two entries, where one was meant',
  explanation: `Two entries of from (or to) are OR: everybody of the namespaces is admitted, and the pods of the policy's own namespace besides.
One entry with both selectors is AND: those pods of those namespaces. The difference is one dash.

It is found where the two entries stand next to each other and cannot be meant as they are: the namespaces of the first include the
policy's own, so that the second adds nothing; or nobody of the policy's own namespace matches the second while somebody of the
first one's namespaces does.`,
  remedy: 'Take the dash of the second entry away, so that one entry has both selectors.',
  *check(model) {
    for (const linted of model.policies)
      for (const rule of rulesIn(linted))
        for (const at of rule.rule.peers.keys()) {
          const found = findPair(model, linted, rule, at);
          if (found !== undefined) yield found;
        }
  },
};

function findPair(
  model: Model,
  linted: LintedPolicy,
  { rule, path, peersField, direction }: LintedRule,
  at: number,
): Found | undefined {
  const [first, second] = [rule.peers[at], rule.peers[at + 1]];
  if (first?.kind !== 'pods' || second?.kind !== 'pods') return undefined;
  const [spaces, pods] = first.namespaceSelector === undefined ? [second, first] : [first, second];
  const { namespaceSelector } = spaces;
  if (namespaceSelector === undefined || spaces.podSelector !== undefined) return undefined;
  if (pods.podSelector === undefined || pods.namespaceSelector !== undefined) return undefined;
  const { namespace } = linted.policy;
  const merged: NetworkPolicyPeer = { kind: 'pods', namespaceSelector, podSelector: pods.podSelector };
  const admitted = model.peerSubjects(spaces, namespace);
  const meant = model.peerSubjects(merged, namespace);
  const isInside = matchesSelector(namespaceSelector, namespaceLabels(model.cluster, namespace));
  const isNobody =
    model.knows(namespace) && model.peerSubjects(pods, namespace).length === 0 && meant.length > 0;
  if (!isInside && !isNobody) return undefined;
  const both = [...new Set([...admitted, ...model.peerSubjects(pods, namespace)])];
  const counts =
    both.length === 0
      ? `all pods of the namespaces are ${direction === 'ingress' ? 'admitted' : 'reached'}`
      : `${counted(both.length, 'workload')} admitted; one entry with both selectors admits ${meant.length}` +
        (meant.length === 0
          ? ''
          : ` (${listed(
              meant.map(({ name }) => name),
              3,
            )})`);
  // Merged, it may admit nobody: then something else is wrong too.
  const isClear = meant.length > 0 || both.length === 0;
  return {
    object: linted.object,
    path: [...path, peersField, at],
    message: `${nameOf(linted)}: two entries are OR: ${counts}`,
    fix: {
      text: 'one entry with both selectors',
      ...(isClear ? { edits: [{ kind: 'merge', path: [...path, peersField, at + 1] }] } : {}),
    },
  };
}
