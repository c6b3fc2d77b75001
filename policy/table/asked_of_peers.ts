/** What a pod's rules ask of other pods: so much of another pod, and no more, is needed to explain a verdict about it. */
import type { PodsPeer } from '../rules/index.ts';
import type { DirectionTable, PeerIdentity } from './table.ts';

/** Keys of labels, and names of ports. */
export interface AskedOfPeers {
  readonly labels: ReadonlySet<string>;
  readonly namespaceLabels: ReadonlySet<string>;
  readonly ports: ReadonlySet<string>;
}

/** What nobody asks for. */
export const NOTHING_ASKED: AskedOfPeers = {
  labels: new Set(),
  namespaceLabels: new Set(),
  ports: new Set(),
};

/**
 * What rules ask for.
 * @param peers the selectors that the rules name
 * @param egress names of ports are resolved at the peer in this direction only
 */
export function askedOfPeers(peers: readonly PodsPeer[], egress: DirectionTable): AskedOfPeers {
  const [labels, namespaceLabels] = (['podSelector', 'namespaceSelector'] as const).map(
    (selector) =>
      new Set(
        peers.flatMap((peer) => [
          ...Object.keys(peer[selector]?.matchLabels ?? {}),
          ...(peer[selector]?.matchExpressions ?? []).map(({ key }) => key),
        ]),
      ),
  );
  const ports = egress.rules.flatMap((rule) => rule.ports.flatMap(({ name }) => name ?? []));
  return {
    labels: labels ?? new Set(),
    namespaceLabels: namespaceLabels ?? new Set(),
    ports: new Set(ports),
  };
}

/** A pod by its name and what is asked for. */
export function asFarAsAsked(peer: PeerIdentity, asked: AskedOfPeers): PeerIdentity {
  const only = (labels: PeerIdentity['labels'], keys: ReadonlySet<string>): PeerIdentity['labels'] =>
    Object.fromEntries(Object.entries(labels).filter(([key]) => keys.has(key)));
  return {
    ...peer,
    labels: only(peer.labels, asked.labels),
    namespaceLabels: only(peer.namespaceLabels, asked.namespaceLabels),
    ports: peer.ports.filter(({ name }) => name !== undefined && asked.ports.has(name)),
  };
}
