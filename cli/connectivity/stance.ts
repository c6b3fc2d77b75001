/** What policy can tell of an end: two ends of one stance can reach, and be reached by, the same. */
import type { Isolation } from './isolation.ts';
import type { Peer } from './peer_tests.ts';
import { ALL_PORTS, intersection, NO_PORTS, type PortSet } from './port_set.ts';

/** IP version. */
type Family = 4 | 6;

/** One end of connections, or many that are the same to policy. */
export interface Stance {
  /** Number among all of its cluster. */
  readonly id: number;
  /** Whether policy can select it: it is a pod with a network of its own. */
  readonly isSubject: boolean;
  /** Absent: no policy isolates it in that direction. */
  readonly egress?: Isolation;
  readonly ingress?: Isolation;
  /** Families of its addresses, in its order of preference. None: its addresses are not known. */
  readonly families: readonly Family[];
  /** Who it is to rules when it uses an address of this family; undefined: it has none, or none is known. */
  peerAt(family: Family | undefined): Peer;
}

/** The two directions of connections from one end to another. */
export interface Directions {
  /** What the source's egress policies let out; all ports where there are none. */
  readonly egress: PortSet;
  readonly ingress: PortSet;
  /** As the source is to rules at the destination, and the other way round. */
  readonly source: Peer;
  readonly destination: Peer;
}

/** What each side admits. */
export function directionsOf(source: Stance, destination: Stance): Directions {
  const asSource = sourcePeer(source, destination);
  const asDestination = destinationPeer(source, destination);
  return {
    egress: source.egress === undefined ? ALL_PORTS : source.egress.opened(asDestination),
    ingress: destination.ingress === undefined ? ALL_PORTS : destination.ingress.opened(asSource),
    source: asSource,
    destination: asDestination,
  };
}

/** The ports that both sides admit: a connection passes only if the source's egress and the destination's ingress allow it. */
export function portsBetween(source: Stance, destination: Stance): PortSet {
  if (!haveOneFamily(source, destination)) return NO_PORTS;
  const { egress } = source;
  const { ingress } = destination;
  if (egress === undefined && ingress === undefined) return ALL_PORTS;
  const out = egress === undefined ? ALL_PORTS : egress.opened(destinationPeer(source, destination));
  if (ingress === undefined || out.ranges.length === 0) return out;
  return intersection(out, ingress.opened(sourcePeer(source, destination)));
}

/** Whether policy has a say: it can select one of the two. */
export function isJudged(source: Stance, destination: Stance): boolean {
  return source.isSubject || destination.isSubject;
}

/** Whether there is an address family that both can use, as far as their addresses are known. */
export function haveOneFamily(source: Stance, destination: Stance): boolean {
  return (
    source.families.length === 0 ||
    destination.families.length === 0 ||
    sharedFamily(source, destination) !== undefined
  );
}

/** The first family that both have, in the source's order. */
function sharedFamily({ families }: Stance, destination: Stance): Family | undefined {
  // Asked for each of a million pairs: nothing is made here.
  for (const family of families) if (destination.families.includes(family)) return family;
  return undefined;
}

/** Who the two are to rules: by the family that both have; else by the first of each, as the engine has it. */
function sourcePeer(source: Stance, destination: Stance): Peer {
  return source.peerAt(sharedFamily(source, destination) ?? source.families[0]);
}

function destinationPeer(source: Stance, destination: Stance): Peer {
  return destination.peerAt(sharedFamily(source, destination) ?? destination.families[0]);
}
