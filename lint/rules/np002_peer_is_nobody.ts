/** NP002. */
import {
  NAMESPACE_NAME_LABEL,
  type NetworkPolicyPeer,
  namespaceLabels,
  objectKey,
} from '../../policy/index.ts';
import type { FieldPath } from '../../sources/index.ts';
import type { Found } from '../finding.ts';
import { type LintedPolicy, listed, type Model, nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { flowYaml } from './flow_yaml.ts';
import { np003 } from './np003_peers_are_or.ts';
import { unmetSelector } from './unmet.ts';
import { unmetSubject } from './unmet_subject.ts';

/** A peer that means nobody. */
export const np002: Rule = {
  code: 'NP002',
  severity: 'warning',
  title: 'peer of a rule selects nothing',
  explanation: `A selector of from or to matches no namespace, or no pod in the namespaces that it matches: the entry admits nobody. Often a
label is misspelt, or the label of a namespace is not the one that was thought of: a namespace always has
kubernetes.io/metadata.name.

It says nothing where the workloads of the namespaces are not known, and where a custom resource of the files has the labels: its
operator may make such pods. In files it says that no namespace has a label only where a namespace of the files has one like it:
others may be elsewhere. Of selectors that ask for pods without a label it says nothing, nor of peers whose pods are where NP001
says that the policy belongs.`,
  remedy: 'Correct the label. Entries for what comes later are better added with it.',
  *check(model, foundBy) {
    // What two entries were meant as one explains, needs no second finding.
    const explained = new Set(
      foundBy(np003).map(({ object, path }) => placeKey(object.key, path.slice(0, -1))),
    );
    for (const linted of model.policies) {
      const belongsIn = unmetSubject(model, linted)?.elsewhere;
      for (const { rule, path, peersField } of rulesIn(linted)) {
        if (explained.has(placeKey(linted.object.key, [...path, peersField]))) continue;
        for (const [at, peer] of rule.peers.entries()) {
          const found = findPeer(model, linted, peer, [...path, peersField, at], belongsIn);
          if (found !== undefined) yield found;
        }
      }
    }
  },
};

function placeKey(key: string, path: FieldPath): string {
  return JSON.stringify([key, path]);
}

function findPeer(
  model: Model,
  linted: LintedPolicy,
  peer: NetworkPolicyPeer,
  path: FieldPath,
  belongsIn: string | undefined,
): Found | undefined {
  const { namespace } = linted.policy;
  const namespaces = model.peerNamespaces(peer, namespace);
  if (namespaces === undefined || peer.kind !== 'pods') return undefined;
  const { namespaceSelector, podSelector } = peer;
  const found = ({ text, path: at, fix }: ReturnType<typeof unmetSelector>): Found => ({
    object: linted.object,
    path: at,
    message: `${nameOf(linted)}: ${text}`,
    ...(fix === undefined ? {} : { fix }),
  });
  if (namespaces.length === 0 && namespaceSelector !== undefined) {
    const present = model.namespaces.map((name) => namespaceLabels(model.cluster, name));
    const unmet = unmetSelector(namespaceSelector, [...path, 'namespaceSelector'], present, 'namespace');
    return unmet.hasNear || model.extent === 'cluster' ? found(unmet) : undefined;
  }
  if (podSelector === undefined || !model.knowsPeer(peer, namespace)) return undefined;
  if (model.peerSubjects(peer, namespace).length > 0) return undefined;
  const subjects = namespaces.flatMap((name) => model.subjectsIn(name).all);
  if (subjects.length === 0 || model.mayBeMade(namespaces, podSelector)) return undefined;
  const onHosts = namespaces.flatMap((name) =>
    model
      .subjectsIn(name)
      .select(podSelector)
      .filter(({ pod }) => pod.hostNetwork),
  );
  if (onHosts.length > 0)
    return {
      object: linted.object,
      path: [...path, 'podSelector'],
      message:
        `${nameOf(linted)}: ${listed(onHosts.map(({ pod, name }) => objectKey(pod.namespace, name)))} ` +
        'are on the host network: to policy they are their node, which no podSelector means',
    };
  const present = subjects.map(({ pod }) => pod.labels);
  const unmet = unmetSelector(podSelector, [...path, 'podSelector'], present, 'pod', { model, namespaces });
  if (unmet.isNegative) return undefined;
  const { elsewhere } = unmet;
  if (elsewhere === undefined || namespaceSelector !== undefined) return found(unmet);
  // One cause is one finding: once the policy is there, the peer means them.
  if (belongsIn === elsewhere) return undefined;
  const selector = flowYaml({ matchLabels: { [NAMESPACE_NAME_LABEL]: elsewhere } });
  return found({ ...unmet, fix: { text: `namespaceSelector: ${selector} in the same entry` } });
}
