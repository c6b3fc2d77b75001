/** A cluster in memory, changed object by object. */
import type { ClusterSource, SourceListener } from '../../injector/source.ts';
import { type ClusterChange, LiveCluster } from '../../policy/index.ts';

/** A source without an origin. */
export class MemorySource implements ClusterSource {
  readonly cluster = new LiveCluster();
  readonly problems = [];
  readonly changeOrder = 'seen';
  readonly #listeners = new Set<SourceListener>();

  onChange(listener: SourceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes one change and reports it. */
  change(change: ClusterChange): void {
    this.cluster.apply(change);
    for (const listener of this.#listeners) listener.clusterChanged([change]);
  }

  async refresh(): Promise<void> {}

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}
