/** How a table names what it says of Services. */
import type { Protocol } from '../model.ts';

/** The key of a virtual port in a table: `10.96.0.10 TCP/80`. The address is canonical. */
export function virtualKey(address: string, protocol: Protocol, port: number): string {
  return `${address} ${protocol}/${port}`;
}
