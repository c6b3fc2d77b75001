/** Listening on a port. */
import type { Server } from 'node:net';
import { SluiceError } from './errors.ts';

/** Where to listen. */
export interface TcpAddress {
  /** Default: all addresses. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port: number;
  /** Connections that may wait to be accepted; the kernel's bound is net.core.somaxconn. Default 511, as Node has it. */
  readonly backlog?: number;
  /** The environment variable that moves it, for the message of the error. */
  readonly setting?: string;
}

/**
 * Makes `server` listen; returns the port.
 * @throws SluiceError `LISTEN_ADDRESS_UNUSABLE`
 */
export async function listenTcp(server: Server, address: TcpAddress): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unusable(address, cause)));
    const { port, host, backlog } = address;
    server.listen(
      { port, ...(host === undefined ? {} : { host }), ...(backlog === undefined ? {} : { backlog }) },
      resolve,
    );
  });
  return portOf(server);
}

/** The port that a server listens on. @throws Error when it does not listen, or on no port */
function portOf(server: Server): number {
  const address = server.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new Error('the server listens on no port');
}

function unusable({ host, port, setting }: TcpAddress, cause: Error): SluiceError {
  const where = `${host ?? 'all addresses'}, port ${port}`;
  const another = setting === undefined ? 'another port' : `another port with ${setting}`;
  const message = `cannot listen on ${where}: ${cause.message}; choose ${another} or stop who has it`;
  return new SluiceError('LISTEN_ADDRESS_UNUSABLE', message, { cause });
}
