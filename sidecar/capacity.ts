/** How many flows fit: the connection cap and the file-descriptor budget. Excess is refused, never forwarded unchecked. */
import { readFileSync } from 'node:fs';

/** Two sockets a flow. */
const DESCRIPTORS_PER_FLOW = 2;

/**
 * Kept back: listeners, log, source, disk, epoll and libuv's own (about 25), admin and canary connections, and a
 * burst of connections that are accepted only to be refused.
 */
const RESERVED_DESCRIPTORS = 96;

/**
 * The most flows at once.
 * @param configured `SLUICE_MAX_CONNECTIONS`; 0 is no cap of its own
 * @param descriptors limit of open files of this process (RLIMIT_NOFILE)
 */
export function connectionLimit(configured: number, descriptors: number): number {
  const affordable = Math.max(1, Math.floor((descriptors - RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_FLOW));
  return configured === 0 ? affordable : Math.min(configured, affordable);
}

/** This process's soft RLIMIT_NOFILE, from /proc/self/limits, proc(5). Unlimited is a million. */
export function descriptorLimit(): number {
  const line = readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\S+)/m)?.[1];
  const limit = Number(line);
  return Number.isInteger(limit) ? limit : 1_000_000;
}
