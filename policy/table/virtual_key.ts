/** How a table names what it says of Services. */

import { MAX_PORT, PROTOCOLS } from '../../common/net.ts';
import type { Protocol } from '../model.ts';
import { addressProblem } from './parts.ts';

const VIRTUAL_KEY = /^(\S+) (TCP|UDP|SCTP)\/([1-9]\d{0,4})$/;

/** The key of a virtual port in a table: `10.96.0.10 TCP/80`. The address is canonical. */
export function virtualKey(address: string, protocol: Protocol, port: number): string {
  return `${address} ${protocol}/${port}`;
}

/**
 * What the key of a virtual port says. It is one of a table, so that it was checked when it came.
 * @throws Error where it is none
 */
export function readVirtualKey(key: string): {
  readonly address: string;
  readonly protocol: Protocol;
  readonly port: number;
} {
  const space = key.indexOf(' ');
  const slash = key.indexOf('/', space);
  const protocol = PROTOCOLS.find((one) => one === key.slice(space + 1, slash));
  if (protocol === undefined) throw new Error(`no virtual port of a table: ${key}`);
  return { address: key.slice(0, space), protocol, port: Number(key.slice(slash + 1)) };
}

const EXAMPLE = virtualKey('10.96.0.10', 'TCP', 80);

/**
 * What is wrong with a text that should be such a key, if anything. Keys are looked up as texts: one that is written
 * otherwise would never be found, and its backends never asked about.
 */
export function virtualKeyProblem(key: string): string | undefined {
  const [, host = '', , number = ''] = VIRTUAL_KEY.exec(key) ?? [];
  if (host === '' || Number(number) > MAX_PORT) return `is not a virtual port such as ${EXAMPLE}`;
  return addressProblem(host);
}
