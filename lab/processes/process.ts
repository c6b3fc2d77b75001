/** A process as the kernel knows it: who it is, whether it lives, and its end. */

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../common/errors.ts';

/** How long processes may take to vanish after SIGKILL, in milliseconds. */
const KILL_WAIT_MS = 5000;

/** How often to look whether they have, in milliseconds. */
const KILL_POLL_MS = 10;

/** Fields of /proc/PID/stat after the command's closing bracket; start time is field 22 of proc_pid_stat(5). */
const STAT_START_TIME = 22 - 3;
const STAT_STATE = 0;
const STAT_THREADS = 20 - 3;

/** A process, never mistaken for a later one with the same pid. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot, from /proc/PID/stat. */
  readonly startTime: string;
}

/**
 * The identity of a running process; undefined when there is none, or only a zombie. A zombie with threads left is
 * still ending: its sockets may be open.
 */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[STAT_START_TIME];
    const ended = fields[STAT_STATE] === 'Z' && fields[STAT_THREADS] === '1';
    return startTime === undefined || ended ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

/** Whether this very process still runs. */
export function isAlive(id: ProcessId | undefined): boolean {
  return id !== undefined && identify(id.pid)?.startTime === id.startTime;
}

/** Sends a signal to this very process; false when it has ended. */
export function signalProcess(id: ProcessId | undefined, signal: NodeJS.Signals): boolean {
  if (id === undefined || !isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Waits until none of them runs.
 * @throws SluiceError `LAB_LEFTOVERS`
 */
export async function waitGone(ids: readonly ProcessId[], waitMs = KILL_WAIT_MS): Promise<void> {
  const giveUpAt = Date.now() + waitMs;
  let alive = ids.filter(isAlive);
  while (alive.length > 0) {
    if (Date.now() > giveUpAt) {
      const pids = alive.map((id) => id.pid).join(', ');
      throw new SluiceError('LAB_LEFTOVERS', `still running after ${waitMs} ms: process ${pids}`);
    }
    await delay(KILL_POLL_MS);
    alive = alive.filter(isAlive);
  }
}

/** Ends processes at once. */
export async function killProcesses(ids: readonly ProcessId[]): Promise<void> {
  for (const id of ids) signalProcess(id, 'SIGKILL');
  await waitGone(ids);
}
