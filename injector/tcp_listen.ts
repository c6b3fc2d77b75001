/** Listening on a port. */
import type { AddressInfo, Server } from 'node:net';
import { SluiceError } from '../policy/errors.ts';

/** Where to listen. */
export interface TcpAddress {
  /** Default: all addresses. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port: number;
}

/**
 * Makes `server` listen; returns the port.
 * @throws SluiceError `LISTEN_ADDRESS_UNUSABLE`
 */
export async function listenTcp(server: Server, { host, port }: TcpAddress): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unusable(host, port, cause)));
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

function unusable(host: string | undefined, port: number, cause: Error): SluiceError {
  const where = `${host ?? 'all addresses'}, port ${port}`;
  const message = `cannot listen on ${where}: ${cause.message}; choose another port or stop who has it`;
  return new SluiceError('LISTEN_ADDRESS_UNUSABLE', message, { cause });
}
