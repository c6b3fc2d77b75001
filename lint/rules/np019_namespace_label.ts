/** NP019. */
import { NAMESPACE_NAME_LABEL, requirementsOf } from '../../policy/index.ts';
import { nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** A label of a namespace that is no fixed one. */
export const np019: Rule = {
  code: 'NP019',
  severity: 'info',
  title: 'a label that anybody may set decides which namespaces are admitted',
  explanation: `A namespaceSelector goes by labels of namespaces. A user who may edit a namespace can set any of them, and is then admitted; only
${NAMESPACE_NAME_LABEL} is kept by the API server and cannot be changed. One finding for each policy, and only where a namespace with the label is known.`,
  remedy: `Select by ${NAMESPACE_NAME_LABEL}, or see to it that tenants cannot edit the label.`,
  *check(model) {
    for (const linted of model.policies) {
      const used = rulesIn(linted).flatMap(({ rule, path, peersField }) =>
        rule.peers.flatMap((peer, at) => {
          if (peer.kind !== 'pods' || peer.namespaceSelector === undefined) return [];
          const keys = requirementsOf(peer.namespaceSelector).map(({ key }) => key);
          // With its name beside them the others only narrow.
          if (keys.includes(NAMESPACE_NAME_LABEL) || keys.length === 0) return [];
          // Of a label that no namespace is known to have there is nothing to be said yet.
          if ((model.peerNamespaces(peer, linted.policy.namespace) ?? []).length === 0) return [];
          return [{ path: [...path, peersField, at, 'namespaceSelector'], peer, keys }];
        }),
      );
      const [first] = used;
      if (first === undefined) continue;
      const names = model.peerNamespaces(first.peer, linted.policy.namespace) ?? [];
      const [only, ...others] = names;
      yield {
        object: linted.object,
        path: first.path,
        message: `${nameOf(linted)}: namespaces are chosen by ${[...new Set(used.flatMap(({ keys }) => keys))].join(', ')}, which everyone who may edit a namespace can set`,
        ...(only === undefined || others.length > 0
          ? {}
          : { fix: { text: `${NAMESPACE_NAME_LABEL}: ${only}` } }),
      };
    }
  },
};
