/** How a case writes what a connection goes to: an end as in `sluice can`, and behind a colon its port. */
import { isIP } from 'node:net';

/** `sts/db:pg`, taken apart. */
export interface Target {
  readonly end: string;
  /** `pg`, `53/UDP`; absent where there is none. */
  readonly port?: string;
}

/** The port is behind the last colon. An IPv6 address with a port is in brackets, as in URLs: `[fd00::1]:443`. */
export function splitTarget(text: string): Target {
  if (isIP(text) !== 0) return { end: text };
  const [, end, port] = /^(.+):([^:/\]]+(?:\/[A-Za-z]+)?)$/s.exec(text) ?? [];
  return end === undefined || port === undefined ? { end: text } : { end, port };
}
