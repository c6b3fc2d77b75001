/** What the properties of random clusters share: which verdicts no policy decides, and which addresses no pod has. */
import { addressOwners, type Cluster, canonicalAddress, type FlowVerdict } from '../../../../policy/index.ts';

/** Far above what the runs take, for a machine with other work to do. */
export const PROPERTY_TIMEOUT_MS = 180_000;

/** A pod always reaches itself and its own node, also where others of its kind may not. */
export function isExempt({ egress, ingress }: FlowVerdict): boolean {
  return [egress, ingress].some(({ reason }) => reason === 'self' || reason === 'own-node');
}

/** Those of some addresses that are no pod's in any of the clusters, each once. */
export function strangersAmong(
  addresses: readonly string[],
  clusters: readonly Cluster[],
): readonly string[] {
  const owners = clusters.map((cluster) => addressOwners(cluster));
  return [...new Set(addresses.map(canonicalAddress))].filter(
    (address) => !owners.some((owned) => owned.has(address)),
  );
}
