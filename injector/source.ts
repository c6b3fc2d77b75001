/** Where the cluster's state comes from: a directory of manifests, the API server. */
import type { ChangeOrder, Cluster, ClusterChange } from '../policy/index.ts';
import type { ManifestProblem } from '../sources/index.ts';
import type { Origins } from './changes/index.ts';

/** Who follows a source. */
export interface SourceListener {
  /**
   * `cluster` or `problems` has changed.
   * @param changes all that did in `cluster`; empty: only problems did
   * @param origins who made them and when, as far as the source knows
   */
  clusterChanged(changes: readonly ClusterChange[], origins?: Origins): void;
}

/** A cluster that changes. Fail static: a source that loses its origin keeps its last state. */
export interface ClusterSource {
  /**
   * How it is now. May be a view that shows later changes too (`LiveCluster`): what is to stay has to be copied. The
   * objects in it are immutable: one that changes is another object, one that does not is the same.
   */
  readonly cluster: Cluster;
  readonly problems: readonly ManifestProblem[];
  /** What the order of changes says: whether a pod that comes with another's address got it later. */
  readonly changeOrder: ChangeOrder;
  /**
   * Has `listener` called after each change, object by object, so that a change costs what it touches. Several changes
   * may come in one call; one at a time will do too: who listens gathers them. Returns how to stop that.
   */
  onChange(listener: SourceListener): () => void;
  /** Resolves once all that was written before the call is in `cluster`, listeners called. */
  refresh(): Promise<void>;
  /** Stops watching. May be called again. */
  close(): Promise<void>;
}
