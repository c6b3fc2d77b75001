/** What a process takes: processor time and resident memory, from /proc. Linux, proc(5). */
import { readFileSync } from 'node:fs';

/** USER_HZ: 100 on every architecture that Linux has in its ABI today. */
const TICKS_PER_SECOND = 100;

/** Index of utime after the command's closing bracket; stime, cutime and cstime follow. */
const STAT_UTIME = 14 - 3;

const BYTES_PER_KIB = 1024;

/** User and system time of a process, its threads and its ended children, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(STAT_UTIME, STAT_UTIME + 4).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** Resident memory of a process, in bytes; file pages included. */
export function residentBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, 'VmRSS');
}

/** The most resident memory that a process ever had, in bytes; file pages included. */
export function peakResidentBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, 'VmHWM');
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
