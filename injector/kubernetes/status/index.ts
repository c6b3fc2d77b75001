/** The face of `injector/kubernetes/status/`: what other parts may use. */

export { LeaderElection } from './leader_election.ts';
export { StatusWriter } from './status_writer.ts';
