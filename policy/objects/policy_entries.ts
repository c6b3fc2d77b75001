/** How large a policy is: this measures what it costs to read it, and what it adds to a table. */

import type { LabelSelector, NetworkPolicy, NetworkPolicyPeer } from '../model.ts';

function selectorEntries({ matchLabels, matchExpressions }: LabelSelector): number {
  const values = matchExpressions.reduce((sum, expression) => sum + 1 + expression.values.length, 0);
  return Object.keys(matchLabels).length + values;
}

function peerEntries(peer: NetworkPolicyPeer): number {
  if (peer.kind === 'ipBlock') return 1 + peer.ipBlock.except.length;
  const { podSelector, namespaceSelector } = peer;
  return (
    1 +
    (podSelector === undefined ? 0 : selectorEntries(podSelector)) +
    (namespaceSelector === undefined ? 0 : selectorEntries(namespaceSelector))
  );
}

/** Rules, ports, peers, exceptions of blocks, and the labels, expressions and values of selectors. */
export function policyEntries({ podSelector, ingress, egress }: NetworkPolicy): number {
  let entries = selectorEntries(podSelector);
  for (const { ports, peers } of [...ingress, ...egress]) {
    entries += 1 + ports.length;
    for (const peer of peers) entries += peerEntries(peer);
  }
  return entries;
}

/**
 * The same for an unchecked API object: all items of lists and of `matchLabels`, at any depth. It costs a small part of what
 * reading the object costs, so that an object that is too large need not be read.
 */
export function writtenEntries(spec: unknown): number {
  if (Array.isArray(spec)) return spec.reduce((sum: number, item) => sum + 1 + writtenEntries(item), 0);
  if (typeof spec !== 'object' || spec === null) return 0;
  let entries = 0;
  for (const [name, value] of Object.entries(spec)) {
    if (name === 'policyTypes') continue;
    entries += writtenEntries(value);
    if (name === 'matchLabels' && typeof value === 'object' && value !== null && !Array.isArray(value))
      entries += Object.keys(value).length;
  }
  return entries;
}
