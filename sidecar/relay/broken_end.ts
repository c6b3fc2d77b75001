/** How a flow ended whose one side broke, by the error of that side's socket. The one place where both relays look it up. */
import type { RelayEnd } from './relay.ts';

/**
 * What the kernel reports of a connection that it has given up, because nothing came back in time: ETIMEDOUT, or else why the last
 * packets went nowhere, tcp_write_err() and RFC 1122 4.2.3.9. While a connection lives, none of these ends it.
 */
const GIVEN_UP: readonly string[] = [
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ENONET',
  'ECONNREFUSED', // an ICMP error: a refusal by TCP comes only before a connection is established
  'EACCES', // ICMPv6: a router's filter
];

/** @param error errno of the side's socket, such as ECONNRESET; absent where it is not known */
export function brokenEnd(side: 'source' | 'destination', error: string | undefined): RelayEnd {
  if (error !== undefined && GIVEN_UP.includes(error)) return 'peer-timeout';
  return side === 'source' ? 'reset-by-source' : 'reset-by-destination';
}
