/** The other side of a flow, and the peer tests of a rule. Source: `NetworkPolicyPeer`. */

import type { AddressWords } from '../addresses/index.ts';
import { cidrContains, parseCidr } from '../addresses/index.ts';
import type { ContainerPort, IPBlock, LabelSelector, Labels, NetworkPolicyPeer } from '../model.ts';
import { canonicalSelector, isEmptySelector, matchesSelector } from './selector.ts';

/** What policy may know of a pod that is a peer. */
interface PeerPod {
  readonly namespace: string;
  readonly labels: Labels;
  readonly namespaceLabels: Labels;
  readonly ports: readonly ContainerPort[];
}

/** The other side of a flow. `pod` is absent for external addresses, nodes and host-network pods. */
export interface Peer {
  /** Canonical; absent for a pod that has no address yet. */
  readonly address?: string;
  readonly words?: AddressWords;
  readonly pod?: PeerPod;
  /** Whether a pod has the address is not known. It is in none of the groups that were asked. */
  readonly unidentified?: boolean;
}

/** Pods by selector, in canonical form. Absent parts do not restrict; the form of an `AddressGroup` without members. */
export interface PodsPeer {
  readonly kind: 'pods';
  /** The only namespace whose pods can match; absent when `namespaceSelector` chooses. */
  readonly namespace?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly podSelector?: LabelSelector;
}

/** A peer test with the policy's namespace filled in. */
export type ResolvedPeer =
  | { readonly kind: 'ipBlock'; readonly cidr: string; readonly except: readonly string[] }
  | PodsPeer;

/** Fills in what a peer's selectors leave to the policy. `namespace` is the policy's. */
export function resolvePeer(peer: NetworkPolicyPeer, namespace: string): ResolvedPeer {
  if (peer.kind === 'ipBlock')
    return { kind: 'ipBlock', cidr: peer.ipBlock.cidr, except: peer.ipBlock.except };
  // podSelector: absent or empty, all pods of the chosen namespaces.
  const restricts = peer.podSelector !== undefined && !isEmptySelector(peer.podSelector);
  const pods = restricts && peer.podSelector ? { podSelector: canonicalSelector(peer.podSelector) } : {};
  // namespaceSelector: absent, the policy's own namespace; empty, all namespaces; with podSelector both must match.
  if (peer.namespaceSelector === undefined) return { kind: 'pods', namespace, ...pods };
  return { kind: 'pods', namespaceSelector: canonicalSelector(peer.namespaceSelector), ...pods };
}

/** Whether the namespace part of a pods peer matches. */
export function namespaceMatches(test: PodsPeer, pod: PeerPod): boolean {
  if (test.namespaceSelector !== undefined)
    return matchesSelector(test.namespaceSelector, pod.namespaceLabels);
  return test.namespace === pod.namespace;
}

/** Whether the pod part of a pods peer matches. */
export function podMatches(test: PodsPeer, pod: PeerPod): boolean {
  return test.podSelector === undefined || matchesSelector(test.podSelector, pod.labels);
}

/** Whether an address is in a block. `except`: these parts of `cidr` do not match this item; others may match them. */
export function blockMatches(block: IPBlock, words: AddressWords | undefined): boolean {
  if (words === undefined) return false;
  const inside = (text: string) => {
    const written = parseCidr(text);
    return written !== undefined && cidrContains(written.cidr, words);
  };
  return inside(block.cidr) && !block.except.some(inside);
}

/** Whether a peer test admits a peer, selectors evaluated directly. */
export function peerMatches(test: ResolvedPeer, peer: Peer): boolean {
  // ipBlock: an address is an address, also when a pod owns it.
  if (test.kind === 'ipBlock') return blockMatches(test, peer.words);
  // Selectors choose pods: no external host, no node and no host-network pod matches, not even an empty selector.
  return peer.pod !== undefined && namespaceMatches(test, peer.pod) && podMatches(test, peer.pod);
}
