/** Names of workloads that do not grow in number: one for all runs of a CronJob. */

/** A CronJob's Jobs are named after it and the minute for which they were planned, counted from 1970: eight digits until 2160. */
const CRON_RUN = /^job\/(?<cronJob>.+)-\d{8}$/;

/** `job/backup-28901234` is `cronjob/backup`; all others stay as they are. */
export function lastingWorkload(workload: string): string {
  const cronJob = CRON_RUN.exec(workload)?.groups?.cronJob;
  return cronJob === undefined ? workload : `cronjob/${cronJob}`;
}
