/**
 * When the termination of the pod began. A native sidecar gets SIGTERM only when the app has ended, but its grace period counts
 * from the beginning of the termination. At that beginning the kubelet runs the container's preStop hook, which touches a file.
 * Source: KEP-753, `killContainer` of kuberuntime_container.go.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { TERMINATION_FILE } from '../common/contract.ts';

/** When the hook ran last, ms since the epoch; undefined where it did not, or where that cannot be read. */
export function terminationBeganAtMs(stateDir: string): number | undefined {
  try {
    return statSync(join(stateDir, TERMINATION_FILE)).mtimeMs;
  } catch {
    return undefined;
  }
}

/**
 * How long a drain that begins now may still take, ms.
 * @param drainMs from the beginning of termination; where that is not known, from now on
 * @param beganAtMs counts between the start of this process and now. An earlier time is that of a container which was
 * restarted since, a later one that of a clock which was set
 */
export function drainLeftMs(
  drainMs: number,
  beganAtMs: number | undefined,
  { startedAtMs, nowMs }: { readonly startedAtMs: number; readonly nowMs: number },
): number {
  if (beganAtMs === undefined || beganAtMs < startedAtMs || beganAtMs > nowMs) return drainMs;
  return Math.max(drainMs - (nowMs - beganAtMs), 0);
}
