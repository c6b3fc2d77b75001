/** The status annotation of policies: by how many of the selected pods each is enforced, written by one replica. */

export { LeaderElection } from './leader_election.ts';
export { StatusWriter } from './status_writer.ts';
