/** What flows call a pod's workload. */
import type { Pod } from '../../../policy/index.ts';
import { lastingWorkload } from '../../../sources/index.ts';

/** `deploy/web`, `cronjob/backup`: as observed flows have it. A record of a sidecar names the Job of one run. */
export function workloadText(pod: Pick<Pod, 'workload'>): string {
  return lastingWorkload(pod).replace(/^cj\//, 'cronjob/');
}
