/** Whether one rule admits all that another admits. */
import {
  type Cidr,
  cidrContains,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  type NetworkPolicyRule,
  parseCidr,
} from '../../policy/index.ts';
import type { Model, Subject } from '../model/index.ts';

/** A rule, and where its policy is. */
export interface PlacedRule {
  readonly rule: NetworkPolicyRule;
  readonly namespace: string;
}

/** By what is known now: peers are compared by whom they mean. Ports by name are only equal to themselves. */
export function covers(model: Model, wide: PlacedRule, narrow: PlacedRule): boolean {
  return portsCover(wide.rule.ports, narrow.rule.ports) && peersCover(model, wide, narrow);
}

function peersCover(model: Model, wide: PlacedRule, narrow: PlacedRule): boolean {
  if (wide.rule.peers.length === 0) return true;
  return (
    narrow.rule.peers.length > 0 &&
    narrow.rule.peers.every((peer) =>
      wide.rule.peers.some((other) => peerCovers(model, other, wide.namespace, peer, narrow.namespace)),
    )
  );
}

function peerCovers(
  model: Model,
  wide: NetworkPolicyPeer,
  wideNamespace: string,
  narrow: NetworkPolicyPeer,
  narrowNamespace: string,
): boolean {
  if (wide.kind === 'ipBlock' || narrow.kind === 'ipBlock')
    return (
      wide.kind === 'ipBlock' &&
      narrow.kind === 'ipBlock' &&
      blockCovers(wide.ipBlock.cidr, narrow.ipBlock.cidr) &&
      wide.ipBlock.except.every((part) => narrow.ipBlock.except.some((other) => blockCovers(other, part)))
    );
  if (!model.knowsPeer(narrow, narrowNamespace)) return false;
  const members = model.peerSubjects(narrow, narrowNamespace);
  // Whom nobody is, what comes later may be.
  if (members.length === 0) return false;
  const others = model.peerSubjects(wide, wideNamespace);
  if (members === others) return true;
  if (members.length > others.length) return false;
  const set = setOf(others);
  return members.every((member) => set.has(member));
}

/** The same list comes with the same peer: each is made a set of once. */
const sets = new WeakMap<readonly Subject[], ReadonlySet<Subject>>();

function setOf(subjects: readonly Subject[]): ReadonlySet<Subject> {
  const known = sets.get(subjects) ?? new Set(subjects);
  sets.set(subjects, known);
  return known;
}

function blockCovers(wide: string, narrow: string): boolean {
  const [outer, inner] = [cidrOf(wide), cidrOf(narrow)];
  return outer !== undefined && inner !== undefined && contains(outer, inner);
}

function cidrOf(text: string): Cidr | undefined {
  return parseCidr(text)?.cidr;
}

/** Whether all of a block is in another. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return outer.prefix <= inner.prefix && cidrContains(outer, inner.words);
}

function portsCover(wide: readonly NetworkPolicyPort[], narrow: readonly NetworkPolicyPort[]): boolean {
  if (wide.length === 0) return true;
  return narrow.length > 0 && narrow.every((port) => wide.some((other) => portCovers(other, port)));
}

function portCovers(wide: NetworkPolicyPort, narrow: NetworkPolicyPort): boolean {
  if (wide.protocol !== narrow.protocol) return false;
  if (wide.port === undefined) return true;
  if (narrow.port === undefined) return false;
  if (typeof wide.port === 'string' || typeof narrow.port === 'string') return wide.port === narrow.port;
  return wide.port <= narrow.port && (wide.endPort ?? wide.port) >= (narrow.endPort ?? narrow.port);
}
