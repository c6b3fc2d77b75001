/** What the other replicas' sidecars enforce: a sidecar is connected to one of them, and the one that writes has to add up. */
import { askReplicas } from '../replicas/index.ts';
import { countsShape, type ReplicaCounts } from './replica_counts.ts';

/** Path of the counts on the status port. */
const ENFORCING_PATH = '/enforcing';

/** Asks replicas at these addresses; those that do not answer are left out. */
export function askPeers(addresses: readonly string[], port: number): Promise<ReplicaCounts[]> {
  return askReplicas<ReplicaCounts>(addresses, port, { path: ENFORCING_PATH, shape: countsShape });
}
