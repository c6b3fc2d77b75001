/** What the source's copies are measured by. */

import type { ClusterKind } from '../../policy/index.ts';
import type { ReflectorEvents } from '../api/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { KubernetesSource } from './kubernetes_source.ts';

const MS_PER_SECOND = 1000;

/** Counts what happens to the copy of one kind. */
export function countedEvents(metrics: InjectorMetrics, kind: ClusterKind): ReflectorEvents {
  return {
    listed: () => metrics.sourceLists.inc({ kind }),
    event: (type) => metrics.sourceEvents.inc({ kind, type }),
    failed: (call) => metrics.sourceFailures.inc({ kind, call }),
  };
}

/** Sets what is looked up at each scrape. */
export function setSourceGauges(metrics: InjectorMetrics, source: KubernetesSource): void {
  for (const { kind, ageMs, objects } of source.reflectors) {
    metrics.sourceAge.set({ kind }, ageMs / MS_PER_SECOND);
    metrics.sourceObjects.set({ kind }, objects);
  }
}
