/** Workloads are called here as observed flows call them. */

/** `cronjob/backup`, where other commands say `cj/backup`. */
export function observedName(workload: string): string {
  return workload.replace(/^cj\//, 'cronjob/');
}
