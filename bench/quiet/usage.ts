/** Who used the processors between two moments: this program and what it has started, or others. Linux, proc(5). */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** USER_HZ: 100 on every architecture that Linux has in its ABI today. */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat after the command's closing bracket; proc_pid_stat(5). */
const PARENT = 4 - 3;
const USER_TIME = 14 - 3;
const START_TIME = 22 - 3;

/** Index of `steal` in the first line of /proc/stat, after its name. */
const STEAL = 7;

/** The parent of all threads of the kernel. What they do is done for somebody, and whom is not known. */
const KERNEL_THREADS = 2;

/** A process at one moment. Times are clock ticks. */
export interface ProcessTimes {
  readonly parent: number;
  /** When it began: a pid can be used again. */
  readonly startTime: number;
  /** User and system time of its own. */
  readonly own: number;
  /** Of its children that have ended and that it has waited for. */
  readonly children: number;
}

/** The whole machine at one moment. */
export interface Usage {
  readonly atMs: number;
  /** Time that the machine's host gave to others, in ticks. */
  readonly steal: number;
  readonly processes: ReadonlyMap<number, ProcessTimes>;
}

/** How the processors are used now. */
export function readUsage(): Usage {
  const [total = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  const processes = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    const times = /^\d+$/.test(name) ? tryTimesOf(name) : undefined;
    if (times !== undefined) processes.set(Number(name), times);
  }
  return { atMs: performance.now(), steal: Number(total.split(/\s+/)[1 + STEAL] ?? 0), processes };
}

/**
 * The share of all processors, 0 to 1, that others used between two moments: the machine's host, and all processes but `root` and
 * those that it has started. A process that began and ended in between counts where its parent has waited for it.
 */
export function othersShare(
  before: Usage,
  after: Usage,
  root = process.pid,
  processors = availableParallelism(),
): number {
  const mine = new Set([...familyOf(before, root), ...familyOf(after, root)]);
  const isOther = (pid: number, { parent }: ProcessTimes): boolean =>
    !mine.has(pid) && pid !== KERNEL_THREADS && parent !== KERNEL_THREADS;
  let all = 0;
  let living = 0;
  for (const [pid, times] of after.processes) {
    if (!isOther(pid, times)) continue;
    const known = before.processes.get(pid);
    const old = known?.startTime === times.startTime ? known : undefined;
    all += times.own + times.children;
    living += times.own - (old?.own ?? 0);
  }
  for (const [pid, times] of before.processes) if (isOther(pid, times)) all -= times.own + times.children;
  // Where a process has ended and nobody waited, its time is gone from the sum.
  const ticks = Math.max(all, living, 0) + Math.max(after.steal - before.steal, 0);
  const seconds = (after.atMs - before.atMs) / 1000;
  return seconds <= 0 ? 0 : ticks / TICKS_PER_SECOND / seconds / processors;
}

/** A process and all that descend from it. */
function familyOf({ processes }: Usage, root: number): ReadonlySet<number> {
  const family = new Set([root]);
  for (let size = 0; size < family.size; ) {
    size = family.size;
    for (const [pid, { parent }] of processes) if (family.has(parent)) family.add(pid);
  }
  return family;
}

function tryTimesOf(pid: string): ProcessTimes | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields
      .slice(USER_TIME, USER_TIME + 4)
      .map(Number);
    return {
      parent: Number(fields[PARENT]),
      startTime: Number(fields[START_TIME]),
      own: user + system,
      children: childUser + childSystem,
    };
  } catch {
    return undefined; // It has ended.
  }
}
