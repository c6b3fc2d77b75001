/** The pods of a cluster and those that its workloads would make. */
import { isLive, type Pod } from '../../policy/index.ts';
import { createWorkloads, lastingWorkload, type Manifests } from '../../sources/index.ts';

/** A pod, and what it belongs to. */
export interface KnownPod {
  readonly pod: Pod;
  /** Such as `deploy/web`; `pod/x` where it has no owner. */
  readonly workload: string;
}

/** All of them. */
export interface KnownPods {
  readonly pods: readonly KnownPod[];
  /** What is wrong with templates that make no pod, a sentence each. */
  readonly problems: readonly string[];
}

/** Pods that have finished are left out. A workload without pods has one of its template. */
export function knownPods({ cluster, others }: Manifests): KnownPods {
  const live = [...cluster.pods.values()]
    .filter(isLive)
    .map((pod) => ({ pod, workload: lastingWorkload(pod) }));
  const { made, problems } = createWorkloads(cluster, others).madePods();
  return { pods: [...live, ...made.map(({ pod, owner }) => ({ pod, workload: owner.text }))], problems };
}
