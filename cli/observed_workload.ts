/** What observed flows call a workload. Other commands have kubectl's short word for a CronJob, `cj/backup`. */

/** `cronjob/backup` of `cj/backup`; all others stay as they are. */
export function observedWorkload(workload: string): string {
  return workload.replace(/^cj\//, 'cronjob/');
}
