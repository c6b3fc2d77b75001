/** Observed flows of a cluster, with the rights of the user who asks. */

export { type ClusterFlowSource, type ClusterFlows, createClusterSource } from './cluster_source.ts';
