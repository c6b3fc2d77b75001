/** Ports for the proxy, when an app has taken one of those that it usually has. */
import { randomInt } from 'node:crypto';
import { SluiceError } from '../../common/errors.ts';
import { inboundPorts, LAST_INBOUND_PORT } from '../../common/inbound_ports.ts';

/** Above what clients (Linux 32768-60999) and app legs use, and away from where services listen. */
const OTHERS = { first: 61_000, last: LAST_INBOUND_PORT } as const;

/** An app would have to hold some ninth of these ports for so many in a row to be taken, as each is one of nine. */
const ATTEMPTS = 64;

/**
 * Starts something on the inbound port `port`, or where one of `inboundPorts` is taken on another one.
 * @param reserved ports that are not to be taken instead
 * @throws SluiceError `SOCKET_ADDRESS_IN_USE` when there is none, or what `start` throws otherwise
 */
export async function onFreePort<T>(
  port: number,
  reserved: readonly number[],
  start: (port: number) => Promise<T>,
): Promise<T> {
  let wanted = port;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(wanted);
    } catch (error) {
      const isTaken = error instanceof SluiceError && error.code === 'SOCKET_ADDRESS_IN_USE';
      if (!isTaken || attempt === ATTEMPTS) throw error;
      do wanted = randomInt(OTHERS.first, OTHERS.last + 1);
      while (inboundPorts(wanted).some((one) => reserved.includes(one)));
    }
  }
}
