/** Where the cluster's state comes from. A directory of manifests now; the API server later. */
import type { Cluster } from '../policy/model.ts';
import type { ManifestProblem } from './manifest_problem.ts';

/** A cluster that changes. Fail static: a source that loses its origin keeps its last state. */
export interface ClusterSource {
  /** Immutable; each change is a new one, in which what did not change is the same object as before. */
  readonly cluster: Cluster;
  readonly problems: readonly ManifestProblem[];
  /** Calls `listener` after `cluster` or `problems` changed. Returns how to stop that. */
  onChange(listener: () => void): () => void;
  /** Resolves once all that was written before the call is in `cluster`, listeners called. */
  refresh(): Promise<void>;
  /** Stops watching. May be called again. */
  close(): Promise<void>;
}
