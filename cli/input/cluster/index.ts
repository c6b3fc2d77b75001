/** A live cluster, read with the rights of the user who asks. */

export { type ClusterTarget, chooseCluster } from './kube_choice.ts';
export { readCluster } from './read_cluster.ts';
