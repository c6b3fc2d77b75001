/** What a process takes: processor time and memory, from /proc. Linux, proc(5). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** USER_HZ: 100 on every architecture that Linux has in its ABI today. */
const TICKS_PER_SECOND = 100;

/** Index of utime after the command's closing bracket; stime, cutime and cstime follow. */
const STAT_UTIME = 14 - 3;

const BYTES_PER_KIB = 1024;
const NANOSECONDS_PER_SECOND = 1e9;

/** Written to clear_refs: the peak is what is resident now. */
const CLEAR_PEAK = '5';

/** User and system time of a process, its threads and its ended children, in seconds. */
export function cpuSeconds(pid: number): number {
  return statSeconds(pid, STAT_UTIME, STAT_UTIME + 4);
}

function statSeconds(pid: number | 'self', from: number, to: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(from, to).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** User and system time of the children of this process that have ended, with theirs, in seconds. */
export function endedChildrenSeconds(): number {
  return statSeconds('self', STAT_UTIME + 2, STAT_UTIME + 4);
}

/**
 * The same as `cpuSeconds`, exact for the threads that live: for what takes less than a tick counts. Source: schedstats of
 * Linux, sched-stats.rst.
 */
export function liveSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [ran = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ');
    return Number(ran) / NANOSECONDS_PER_SECOND;
  });
  return threads.reduce((sum, value) => sum + value, 0) + statSeconds(pid, STAT_UTIME + 2, STAT_UTIME + 4);
}

/** Time that a process's first thread, which in Node runs JavaScript, has had a processor, in seconds. */
export function mainThreadSeconds(pid: number): number {
  const [nanoseconds] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ');
  return Number(nanoseconds) / NANOSECONDS_PER_SECOND;
}

/** Resident memory of a process, in bytes; file pages included. */
export function residentBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, 'VmRSS');
}

/**
 * Memory that the process has written to, in bytes: what it costs where others of the same program run, as pages of files are there
 * once for all. Pages of files that only this process has mapped are not counted: that depends on who else runs.
 */
export function privateBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/smaps_rollup`, 'Private_Dirty');
}

/** Memory of a process as the kernel divides it among those who share it (PSS), in bytes. The kernel walks through all its pages. */
export function proportionalBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/smaps_rollup`, 'Pss');
}

/** The most resident memory that a process has had since it began, or since `forgetPeak`, in bytes. */
export function peakBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, 'VmHWM');
}

/** From now on `peakBytes` is about what comes. Needs to be the process's owner. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, CLEAR_PEAK);
}

/** What a process has written to files, pipes and by write(2) to sockets, in bytes: also where the disk has it later, or never. */
export function writtenBytes(pid: number): number {
  const value = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1];
  return Number(value);
}

/** The kernel's own objects on the whole machine, sockets among them, in bytes: only differences mean something. */
export function kernelBytes(): number {
  return kibibytes('/proc/meminfo', 'Slab');
}

function kibibytes(file: string, field: string): number {
  const value = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'latin1'))?.[1];
  if (value === undefined) throw new Error(`${file} has no ${field}`);
  return Number(value) * BYTES_PER_KIB;
}
