/**
 * Whether this kernel can do what the direct path needs, tried on a connection of our own over loopback: it is reported when it
 * begins, listed, destroyed, and reported when it is gone. Error numbers do not say it: without inet_diag a list is just empty.
 */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoName, messageOf } from '../../common/errno.ts';
import { ConntrackEvents } from './conntrack_events.ts';
import { SocketEnds } from './socket_ends.ts';
import { destroySockets, type TcpSocket, tcpSockets, tcpSocketsAt } from './tcp_sockets.ts';

const LOOPBACK = '127.0.0.1';

/** The kernel reports at once; a busy machine may take its time to run this process, ms. */
const PATIENCE_MS = 2_000;
const POLL_MS = 2;

/** @returns what the kernel lacks, to be read after "the direct path is asked for, and"; undefined where it can do all */
export async function whyNotDirect(): Promise<string | undefined> {
  const opened: { close(): void }[] = [];
  const sockets: net.Socket[] = [];
  const server = net.createServer();
  try {
    const beginnings = new ConntrackEvents('beginnings');
    opened.push(beginnings);
    server.listen(0, LOOPBACK);
    await once(server, 'listening');
    const port = portOf(server);
    const ends = new SocketEnds({ ports: [port], are: 'wanted' });
    opened.push(ends);
    const client = net.connect(port, LOOPBACK);
    sockets.push(client);
    const broken = new Promise<void>((resolve) => client.once('error', () => resolve()));
    const [accepted] = await once(server, 'connection');
    if (!(accepted instanceof net.Socket)) return 'the kernel does not connect over loopback';
    sockets.push(accepted);
    accepted.on('error', () => undefined);
    const clientPort = accepted.remotePort ?? 0;
    const end = { local: { address: LOOPBACK, port }, remote: { address: LOOPBACK, port: clientPort } };

    const began = await isSoon(() =>
      beginnings.receive()?.some(({ flow }) => flow.source.port === clientPort),
    );
    if (!began) return 'the kernel does not report connections (NF_CONNTRACK_EVENTS)';
    const [asked] = tcpSocketsAt([end]);
    if (asked === undefined || !(await isListed(asked)))
      return 'the kernel does not list sockets (INET_TCP_DIAG)';
    const [result = 0] = await destroySockets([asked]);
    if (result !== 0) return `the kernel does not destroy sockets (INET_DIAG_DESTROY): ${errnoName(result)}`;
    const isReset = await Promise.race([broken.then(() => true), sleep(PATIENCE_MS, false, { ref: false })]);
    if (!isReset) return 'the kernel destroyed a socket, and the other end was not reset';
    accepted.destroy();
    const gone = await isSoon(() => ends.receive()?.some(({ remote }) => remote.port === clientPort));
    return gone ? undefined : 'the kernel does not report sockets that are gone (sock_diag)';
  } catch (error) {
    return `the kernel cannot be asked: ${messageOf(error)}`;
  } finally {
    for (const one of opened) one.close();
    for (const one of sockets) one.destroy();
    server.close();
  }
}

function portOf(server: net.Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Takes the messages that wait, until `look` finds in one of them what it looks for. */
async function isSoon(look: () => boolean | undefined): Promise<boolean> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found === true) return true;
    if (performance.now() > deadline) return false;
    if (found === undefined) await sleep(POLL_MS);
  }
}

async function isListed({ local, remote }: TcpSocket): Promise<boolean> {
  const isIt = (one: typeof local, other: typeof remote): boolean =>
    one.port === local.port && other.port === remote.port;
  for await (const some of tcpSockets(isIt)) if (some.length > 0) return true;
  return false;
}
