/** A live cluster, read with the rights of the user who asks. */

export { type ClusterTarget, chooseCluster, contextNames } from './kube_choice.ts';
export { createLister, type Lister } from './lister.ts';
export { namespaceNames } from './namespace_names.ts';
export { quietTarget } from './quiet_target.ts';
export { readCluster } from './read_cluster.ts';
export { RESOURCES } from './resources.ts';
export { type MissingRight, rightMissing } from './rights.ts';
