/**
 * How many flows fit. Three things bound them: the connection cap, the limit of file descriptors (of which pipes get a share), and
 * the memory limit. Flows beyond that are refused, never forwarded unchecked.
 */
import { readFileSync } from 'node:fs';
import { memoryLimit } from './memory_limit.ts';

/** Two sockets a flow. */
const DESCRIPTORS_PER_FLOW = 2;

/** Kept back: log, connection to the injector, disk, epoll and libuv's own (about 30), admin and canary connections. */
const RESERVED_DESCRIPTORS = 60;

/**
 * Kept back for each thread of the relay: an epoll, an eventfd, a spare, 18 listeners, and a burst of connections that are
 * accepted only to be refused (128 wait for a verdict at most, UNDECIDED_MAX of native/relay_internal.h).
 */
const DESCRIPTORS_PER_THREAD = 149;

/** A flow in bulk holds a pipe only while its reader is behind, so few are needed; without one, bytes are copied. */
const PIPES_MAX = 512;
const PIPE_SHARE = 16;
const DESCRIPTORS_PER_PIPE = 2;

/** Kept back: this process with a table, records and /flows; some 110 MiB were resident beside 5,000 idle flows. */
const RESERVED_BYTES = 160 * 1024 ** 2;

/** Where the limit is hardly more than that, flows get this share of it all the same: few flows pass rather than none. */
const LEAST_SHARE = 8;

/**
 * What an idle flow takes: two sockets with their files and epoll entries in the kernel, some 8 KiB by the sizes of its structures,
 * and less than 3 KiB here; rounded up.
 */
const FLOW_BYTES = 16 * 1024;

/** Of what is left, half is for idle flows and half for the buffers of those that stall, which hold up to 1 MiB each. */
const SHARES = 2;

function bytesForFlows(memoryBytes: number): number {
  return Math.max(memoryBytes - RESERVED_BYTES, Math.floor(memoryBytes / LEAST_SHARE));
}

/** Most bytes in the buffers of flows. @param memoryBytes limit of this process */
export function bufferLimit(memoryBytes: number): number {
  return Math.floor(bytesForFlows(memoryBytes) / SHARES);
}

/** The most pipes at once. @param descriptors as for `connectionLimit` */
export function pipeLimit(descriptors: number): number {
  return Math.min(PIPES_MAX, Math.floor(descriptors / PIPE_SHARE / DESCRIPTORS_PER_PIPE));
}

/** What bounds the number of flows. */
export interface ConnectionLimit {
  /** The most flows at once. */
  readonly flows: number;
  readonly by: 'setting' | 'descriptors' | 'memory';
}

/**
 * The most flows at once.
 * @param configured `SLUICE_MAX_CONNECTIONS`; 0 is no cap of its own
 * @param descriptors limit of open files of this process (RLIMIT_NOFILE)
 * @param memoryBytes limit of memory of this process
 * @param threads of the relay
 */
export function connectionLimit(
  configured: number,
  descriptors: number,
  memoryBytes: number,
  threads = 1,
): ConnectionLimit {
  const reserved =
    RESERVED_DESCRIPTORS + threads * DESCRIPTORS_PER_THREAD + pipeLimit(descriptors) * DESCRIPTORS_PER_PIPE;
  const affordable = Math.max(1, Math.floor((descriptors - reserved) / DESCRIPTORS_PER_FLOW));
  const fitting = Math.max(1, Math.floor(bytesForFlows(memoryBytes) / SHARES / FLOW_BYTES));
  if (configured !== 0 && configured <= Math.min(affordable, fitting))
    return { flows: configured, by: 'setting' };
  return affordable <= fitting ? { flows: affordable, by: 'descriptors' } : { flows: fitting, by: 'memory' };
}

/** This process's soft RLIMIT_NOFILE, from /proc/self/limits, proc(5). Unlimited is a million. */
export function descriptorLimit(): number {
  const line = readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\S+)/m)?.[1];
  const limit = Number(line);
  return Number.isInteger(limit) ? limit : 1_000_000;
}

/** What the limits of this process allow, and those limits. */
export interface InboundLimits {
  readonly connections: ConnectionLimit;
  /** The most pipes at once. */
  readonly pipes: number;
  /** Most bytes in the buffers of flows. */
  readonly bufferBytes: number;
  /** Limit of memory of this process. */
  readonly memoryBytes: number;
}

/** Reads the limits of this process. */
export function inboundLimits({
  maxConnections,
  relayThreads,
}: {
  readonly maxConnections: number;
  readonly relayThreads: number;
}): InboundLimits {
  const descriptors = descriptorLimit();
  const memoryBytes = memoryLimit();
  return {
    connections: connectionLimit(maxConnections, descriptors, memoryBytes, relayThreads),
    pipes: pipeLimit(descriptors),
    bufferBytes: bufferLimit(memoryBytes),
    memoryBytes,
  };
}
