/**
 * When a silent peer is given up. The proxy's keepalive stands in for the app's own, which ends at the proxy: it asks often enough to
 * keep middleboxes from forgetting a flow, and gives up only after a time that ordinary outages do not reach.
 */

/** Keepalive as the kernel takes it: TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, tcp(7). */
export interface Probing {
  /** Silence before the first probe, seconds. */
  readonly idleSeconds: number;
  /** Time between probes, seconds. */
  readonly intervalSeconds: number;
  /** Probes without an answer before the peer is given up. */
  readonly probes: number;
}

/** MAX_TCP_KEEPCNT of the kernel. */
const PROBES_MAX = 127;

/** MAX_TCP_KEEPINTVL of the kernel, seconds. */
const INTERVAL_MAX_SECONDS = 32_767;

const MS_PER_SECOND = 1000;

/**
 * Probes that begin after `keepAliveMs` of silence, come as far apart as that where the kernel can count so many, and give up
 * after `peerTimeoutMs` of silence, to within an interval.
 */
export function probing({ keepAliveMs, peerTimeoutMs }: SilenceLimits): Probing {
  const idleSeconds = Math.max(1, Math.round(keepAliveMs / MS_PER_SECOND));
  const restSeconds = Math.max(1, Math.round(peerTimeoutMs / MS_PER_SECOND) - idleSeconds);
  const probes = Math.min(PROBES_MAX, Math.max(1, Math.round(restSeconds / idleSeconds)));
  const intervalSeconds = Math.min(INTERVAL_MAX_SECONDS, Math.max(1, Math.round(restSeconds / probes)));
  return { idleSeconds, intervalSeconds, probes };
}

/** What is configured. */
export interface SilenceLimits {
  /** Silence before the first probe. */
  readonly keepAliveMs: number;
  /** Silence before the peer is given up; more than `keepAliveMs`. */
  readonly peerTimeoutMs: number;
}
