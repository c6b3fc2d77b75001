/**
 * Whether this kernel ends TCP connections when it is asked to: tried on one of this process's own, over loopback. What counts is
 * whether both ends see it: without `tcp_diag` the listing is empty, without an error. Error numbers only explain.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoName } from '../../common/errno.ts';
import { destroySockets, type TcpSocket, tcpSockets } from './tcp_sockets.ts';

/** A reset over loopback takes microseconds, ms. */
const RESET_MS = 1_000;

/** What the errors of the order mean; libuv calls EOPNOTSUPP so. Source: sock_diag_destroy() and tcp_abort() of Linux. */
const REASONS: Readonly<Record<string, string>> = {
  EPERM: 'ending TCP connections needs NET_ADMIN',
  EACCES: 'ending TCP connections needs NET_ADMIN',
  ENOTSUP: 'the kernel cannot end TCP connections (CONFIG_INET_DIAG_DESTROY)',
};

/** What is tried; tests put another kernel there. */
export interface TriedKernel {
  sockets: typeof tcpSockets;
  destroy: typeof destroySockets;
}

const KERNEL: TriedKernel = { sockets: tcpSockets, destroy: destroySockets };

/**
 * @returns why it does not; undefined: it does
 * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`; a system error where there is no loopback
 */
export async function endingProblem(kernel: TriedKernel = KERNEL): Promise<string | undefined> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ends: Socket[] = [];
  try {
    ends.push(...(await connected(server)));
    return await endingOf(ends, kernel);
  } finally {
    for (const end of ends) end.destroy();
    server.close();
  }
}

/** Both ends of a connection: the one that connected first. */
async function connected(server: Server): Promise<readonly Socket[]> {
  const address = server.address();
  const client = connect({ host: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 });
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  return [client, accepted as Socket];
}

async function endingOf(
  ends: readonly Socket[],
  { sockets, destroy }: TriedKernel,
): Promise<string | undefined> {
  const [client] = ends;
  const found: TcpSocket[] = [];
  const isOwn: Parameters<typeof tcpSockets>[0] = (local, remote) =>
    local.port === client?.localPort && remote.port === client.remotePort && local.address === '127.0.0.1';
  for await (const some of sockets(isOwn)) found.push(...some);
  if (found.length === 0) return 'the kernel does not list TCP connections (CONFIG_INET_TCP_DIAG)';
  const reset = Promise.all(ends.map(closed));
  const [result = 0] = await destroy(found);
  if (result < 0)
    return REASONS[errnoName(result)] ?? `the kernel refuses to end a TCP connection: ${errnoName(result)}`;
  const late = new AbortController();
  const isOver = await Promise.race([reset, delay(RESET_MS, false, { signal: late.signal })]);
  late.abort();
  return isOver === false ? 'the kernel said that it ended a TCP connection, which lives on' : undefined;
}

/** Resolves at the end of a socket, by an error as otherwise. */
function closed(end: Socket): Promise<void> {
  end.on('error', () => undefined).resume();
  return new Promise((resolve) => {
    end.once('close', () => resolve());
  });
}
