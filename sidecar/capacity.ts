/**
 * How many flows fit: the connection cap and the file-descriptor budget, which pipes have a share of. Excess is refused, never
 * forwarded unchecked.
 */
import { readFileSync } from 'node:fs';

/** Two sockets a flow. */
const DESCRIPTORS_PER_FLOW = 2;

/** Kept back: log, source, disk, epoll and libuv's own (about 30), admin and canary connections. */
const RESERVED_DESCRIPTORS = 60;

/**
 * Kept back for each thread of the relay: an epoll, an eventfd, two listeners, and a burst of connections that are
 * accepted only to be refused (128 wait for a verdict at most, UNDECIDED_MAX of native/relay.c).
 */
const DESCRIPTORS_PER_THREAD = 132;

/** A flow in bulk holds a pipe only while its reader is behind, so few are needed; without one, bytes are copied. */
const PIPES_MAX = 512;
const PIPE_SHARE = 16;
const DESCRIPTORS_PER_PIPE = 2;

/** The most pipes at once. @param descriptors as for `connectionLimit` */
export function pipeLimit(descriptors: number): number {
  return Math.min(PIPES_MAX, Math.floor(descriptors / PIPE_SHARE / DESCRIPTORS_PER_PIPE));
}

/**
 * The most flows at once.
 * @param configured `SLUICE_MAX_CONNECTIONS`; 0 is no cap of its own
 * @param descriptors limit of open files of this process (RLIMIT_NOFILE)
 * @param threads of the relay
 */
export function connectionLimit(configured: number, descriptors: number, threads = 1): number {
  const reserved =
    RESERVED_DESCRIPTORS + threads * DESCRIPTORS_PER_THREAD + pipeLimit(descriptors) * DESCRIPTORS_PER_PIPE;
  const affordable = Math.max(1, Math.floor((descriptors - reserved) / DESCRIPTORS_PER_FLOW));
  return configured === 0 ? affordable : Math.min(configured, affordable);
}

/** This process's soft RLIMIT_NOFILE, from /proc/self/limits, proc(5). Unlimited is a million. */
export function descriptorLimit(): number {
  const line = readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\S+)/m)?.[1];
  const limit = Number(line);
  return Number.isInteger(limit) ? limit : 1_000_000;
}
