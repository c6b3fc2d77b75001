/** What peers mean by how they are written. */
import { isEmptySelector, NAMESPACE_NAME_LABEL, type NetworkPolicyPeer } from '../../policy/index.ts';

const EVERY_ADDRESS: readonly string[] = ['0.0.0.0/0', '::/0'];

/** Whether a peer is all pods of the cluster, or all addresses of a family. */
export function isEverybody(peer: NetworkPolicyPeer): boolean {
  if (peer.kind === 'ipBlock')
    return EVERY_ADDRESS.includes(peer.ipBlock.cidr) && peer.ipBlock.except.length === 0;
  const { namespaceSelector, podSelector } = peer;
  return (
    namespaceSelector !== undefined &&
    isEmptySelector(namespaceSelector) &&
    (podSelector === undefined || isEmptySelector(podSelector))
  );
}

/** Whether a peer means pods of other namespaces than the policy's. */
export function meansOthers(peer: NetworkPolicyPeer, own: string): boolean {
  if (peer.kind === 'ipBlock' || peer.namespaceSelector === undefined) return false;
  const { matchLabels, matchExpressions } = peer.namespaceSelector;
  const named = matchExpressions.find(
    ({ key, operator }) => key === NAMESPACE_NAME_LABEL && operator === 'In',
  );
  const isOwn =
    matchLabels[NAMESPACE_NAME_LABEL] === own || (named?.values.every((value) => value === own) ?? false);
  return !isOwn;
}
