/** The pods of a cluster and those that its workloads would make. */
import { SluiceError } from '../../common/errors.ts';
import { isLive, type Pod } from '../../policy/index.ts';
import { createWorkloads, lastingWorkload, type Manifests, makeTemplatePod } from '../../sources/index.ts';

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
  const problems: string[] = [];
  const live = [...cluster.pods.values()]
    .filter(isLive)
    .map((pod) => ({ pod, workload: lastingWorkload(pod) }));
  const made = createWorkloads(cluster, others)
    .withoutPods()
    .flatMap(({ kind, workload, owner }): readonly KnownPod[] => {
      try {
        return [{ pod: makeTemplatePod(workload, kind, owner, 0), workload: owner.text }];
      } catch (cause) {
        if (!(cause instanceof SluiceError && cause.code === 'OBJECT_INVALID')) throw cause;
        problems.push(cause.message);
        return [];
      }
    });
  return { pods: [...live, ...made], problems };
}
