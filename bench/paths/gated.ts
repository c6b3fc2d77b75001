/** Sluice's gate with more and more peers, before the app's own socket: what packets pay for it. */
import type { Path } from '../rig/path.ts';
import { sluiceDirect } from './sluice.ts';

/** Addresses that the policies admit beside the client's. */
const PEER_COUNTS: readonly number[] = [0, 1000, 10_000];

/** The path whose ratio to no rules is a target. */
export const MOST_PEERS = gateName(10_000);

/** The paths, few peers first. */
export function gatePaths(): readonly Path[] {
  return PEER_COUNTS.map((peers) =>
    sluiceDirect({
      name: gateName(peers),
      label: `gate, ${peers.toLocaleString('en-US')} peers`,
      peers,
    }),
  );
}

function gateName(peers: number): string {
  return `gate-${peers}`;
}
