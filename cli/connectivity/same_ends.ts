/**
 * Groups of ends of which the comparison's two sides say the same: what they open to each other is the same too, and need not be
 * worked out pair by pair. Most policies and pods are on both sides as they are.
 */
import type { Connectivity } from './connectivity.ts';
import type { EndGroup } from './end_groups.ts';
import type { Isolation } from './isolation.ts';
import type { Peer } from './peer_tests.ts';
import type { Stance } from './stance.ts';

/** Whether a group of ends is the same on both sides. "No" may be wrong, "yes" is not. */
export type IsSame = (group: EndGroup) => boolean;

/** Between two sides. Rules that are not on both do not matter: the ends that they isolate are not the same. */
export function createIsSame(before: Connectivity, after: Connectivity): IsSame {
  const numbers = new Map(after.peerTexts.map((text, number) => [text, number]));
  /** By number before: the number after of the peers that rules of both sides name. */
  const lasting = before.peerTexts.map((text) => numbers.get(text));
  const back = new Set(lasting);
  const known = new Map<string, boolean>();

  const isSamePeer = (was: Peer, is: Peer): boolean => {
    const key = `${was.id} ${is.id}`;
    const found = known.get(key) ?? compared(was, is);
    known.set(key, found);
    return found;
  };
  const compared = (was: Peer, is: Peer): boolean => {
    if (was.portsKey !== is.portsKey) return false;
    const had = [...was.is].flatMap((number) => lasting[number] ?? []);
    const has = [...is.is].filter((number) => back.has(number)).length;
    return had.length === has && had.every((number) => is.is.has(number));
  };

  const isSameStance = (was: Stance, is: Stance): boolean =>
    was.isSubject === is.isSubject &&
    was.families.join() === is.families.join() &&
    isSameIsolation(was.egress, is.egress) &&
    isSameIsolation(was.ingress, is.ingress) &&
    [undefined, ...was.families].every((family) => isSamePeer(was.peerAt(family), is.peerAt(family)));

  return ({ before: was, after: is }) => was !== undefined && is !== undefined && isSameStance(was, is);
}

function isSameIsolation(was: Isolation | undefined, is: Isolation | undefined): boolean {
  return was === undefined || is === undefined ? was === is : was.meaning === is.meaning;
}
