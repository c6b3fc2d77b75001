/** Makes tables of a cluster, and of each change of the cluster what changes in each table. */

export { type ClusterChange, clusterChanges } from './cluster_change.ts';
export { compile, createCompiler, policyExcess } from './compile.ts';
export { type ClusterUpdate, Compiler, type CompilerOptions, DEFAULT_LARGE_GROUP } from './compiler.ts';
export { type ChangeOrder, Directory, type OwnerChange } from './directory.ts';
export { EMPTY_CLUSTER, LiveCluster } from './live_cluster.ts';
export { virtualPorts } from './services.ts';
