/** How people write the kinds of what a command is asked about. */
import type { WorkloadKind } from '../sources/index.ts';

/** kubectl's names of pods, Services and workloads. */
export const KIND_WORDS: ReadonlyMap<string, WorkloadKind | 'pod' | 'svc'> = new Map([
  ...['svc', 'service', 'services'].map((word) => [word, 'svc'] as const),
  ...['po', 'pod', 'pods'].map((word) => [word, 'pod'] as const),
  ...['deploy', 'deployment', 'deployments'].map((word) => [word, 'deploy'] as const),
  ...['sts', 'statefulset', 'statefulsets'].map((word) => [word, 'sts'] as const),
  ...['ds', 'daemonset', 'daemonsets'].map((word) => [word, 'ds'] as const),
  ...['rs', 'replicaset', 'replicasets'].map((word) => [word, 'rs'] as const),
  ...['rc', 'replicationcontroller', 'replicationcontrollers'].map((word) => [word, 'rc'] as const),
  ...['job', 'jobs'].map((word) => [word, 'job'] as const),
  ...['cj', 'cronjob', 'cronjobs'].map((word) => [word, 'cj'] as const),
]);
