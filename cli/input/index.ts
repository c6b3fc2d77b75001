/** What commands ask about: files, a lab, or the cluster of the kubeconfig, by one rule for all. */

export { createBounds, INPUT_LIMITS } from './bounds.ts';
export type { Lister, MissingRight } from './cluster/index.ts';
export { isRevisionPath, pathsInRevision, readRevision } from './git_revision.ts';
export type { Input, Origin, UnlistedKind } from './input.ts';
export { INPUT_FLAGS, type InputChoice, type InputFlag, inputChoice } from './input_flags.ts';
export { type LiveCluster, liveCluster } from './live_cluster.ts';
export { isPipe, openPipe } from './pipe.ts';
export type { ReadContext } from './read_context.ts';
export { readInput } from './read_input.ts';
export { type Scope, wholeCluster } from './scope.ts';
