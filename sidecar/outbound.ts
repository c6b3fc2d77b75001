/**
 * Connections that the pod has open to others. They do not pass the proxy: the gate looks at each packet. So when a
 * table no longer allows one, its sockets are looked up and destroyed in the kernel, which resets both ends at once.
 * Source: ss(8), sock_diag(7).
 */
import { type Judge, type PodIdentity, socketAddress, type Verdict, virtualKey } from '../policy/index.ts';
import type { Revocation } from './live_table.ts';
import { tryTool } from './tools.ts';

/** An established TCP connection of the pod's, as the app sees it. */
export interface OutboundSocket {
  readonly local: Side;
  /** May be a Service's virtual address. */
  readonly remote: Side;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** An address and port. */
export interface Side {
  readonly address: string;
  readonly port: number;
}

/** A connection that was destroyed. */
export interface EndedOutbound {
  readonly socket: OutboundSocket;
  /** Where it really went. */
  readonly backend: Side;
  readonly identity: PodIdentity | undefined;
  readonly revocation: Revocation;
}

/** Filters longer than this are split: a command line is bounded. */
const SOCKETS_PER_COMMAND = 200;

/**
 * Destroys the outbound connections that `judge` does not allow, or whose peer is another pod than it was under `before`.
 * @returns what was ended
 * @throws SluiceError `TOOL_MISSING`; the gate then ends them with their next packet
 */
export async function endOutbound(
  judge: Judge,
  before: Judge | undefined,
): Promise<readonly EndedOutbound[]> {
  if (judge.table.egress.isolating.length === 0) return [];
  const sockets = await outboundSockets(new Set(judge.table.subject.ips));
  const backends = await backendsOf(sockets, judge);
  const ended: EndedOutbound[] = [];
  for (const socket of sockets) {
    for (const backend of backends(socket)) {
      const verdict = judge.judge('egress', backend.address, 'TCP', backend.port);
      const revocation = revoked(verdict, backend.address, judge, before);
      if (revocation === undefined) continue;
      ended.push({ socket, backend, identity: judge.identify(backend.address), revocation });
      break;
    }
  }
  for (let from = 0; from < ended.length; from += SOCKETS_PER_COMMAND) {
    await destroy(ended.slice(from, from + SOCKETS_PER_COMMAND).map(({ socket }) => socket));
  }
  return ended;
}

function revoked(
  verdict: Verdict,
  peer: string,
  judge: Judge,
  before: Judge | undefined,
): Revocation | undefined {
  if (verdict.verdict === 'deny') return { cause: 'policy-changed', verdict };
  const was = before?.identify(peer);
  const is = judge.identify(peer);
  const replaced = was !== undefined && is !== undefined && was.uid !== is.uid;
  return replaced ? { cause: 'peer-replaced', verdict } : undefined;
}

/** Connections from one of the pod's own addresses that are not answers of one of its listeners. */
async function outboundSockets(own: ReadonlySet<string>): Promise<readonly OutboundSocket[]> {
  const [listening, established] = await Promise.all([
    tryTool('ss', ['-Hltn']),
    tryTool('ss', ['-HOtni', 'state', 'connected', 'exclude', 'time-wait']),
  ]);
  const listeners = new Set(
    listening.stdout.split('\n').map((line) => sideOf(line.trim().split(/\s+/)[3])?.port),
  );
  return established.stdout.split('\n').flatMap((line): OutboundSocket[] => {
    const fields = line.trim().split(/\s+/);
    const [local, remote] = [sideOf(fields[3]), sideOf(fields[4])];
    if (local === undefined || remote === undefined || !own.has(local.address)) return [];
    if (own.has(remote.address) || listeners.has(local.port)) return [];
    return [
      { local, remote, bytesSent: figure(line, 'bytes_sent'), bytesReceived: figure(line, 'bytes_received') },
    ];
  });
}

/** `10.1.2.3:80`, `[fd00::1]:80` or `[::ffff:10.1.2.3]:80`. */
function sideOf(text: string | undefined): Side | undefined {
  const match = /^\[?([0-9a-f.:*]+?)(?:%\w+)?\]?(?:%\w+)?:(\d+)$/.exec(text ?? '');
  if (match === null) return undefined;
  return { address: socketAddress(match[1] ?? ''), port: Number(match[2]) };
}

function figure(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
}

/** The real peer of a socket: connection tracking knows it where the kernel picked a Service's backend. */
async function backendsOf(
  sockets: readonly OutboundSocket[],
  judge: Judge,
): Promise<(socket: OutboundSocket) => readonly Side[]> {
  const services = (socket: OutboundSocket) =>
    judge.table.services[virtualKey(socket.remote.address, 'TCP', socket.remote.port)];
  const tracked = sockets.some((socket) => services(socket) !== undefined)
    ? await trackedBackends()
    : new Map<string, Side>();
  return (socket) => {
    const virtual = services(socket);
    if (virtual === undefined) return [socket.remote];
    const backend = tracked.get(key(socket.local, socket.remote));
    // Not known which: it ends if any of them is denied.
    return backend === undefined ? virtual.backends : [backend];
  };
}

/** Backends by the connection's own ends, from conntrack(8): `src=… dst=… sport=… dport=… src=BACKEND … sport=PORT …`. */
async function trackedBackends(): Promise<ReadonlyMap<string, Side>> {
  const found = new Map<string, Side>();
  for (const family of ['ipv4', 'ipv6']) {
    const listed = await tryTool('conntrack', ['-L', '-p', 'tcp', '-f', family]).catch(() => undefined);
    for (const line of listed?.stdout.split('\n') ?? []) {
      const values = [...line.matchAll(/\b(?:src|dst|sport|dport)=(\S+)/g)].map((match) => match[1] ?? '');
      const [src = '', dst = '', sport, dport, backend = '', , backendPort] = values;
      if (backend === '') continue;
      const local = { address: socketAddress(src), port: Number(sport) };
      const remote = { address: socketAddress(dst), port: Number(dport) };
      found.set(key(local, remote), { address: socketAddress(backend), port: Number(backendPort) });
    }
  }
  return found;
}

function key(local: Side, remote: Side): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}

async function destroy(sockets: readonly OutboundSocket[]): Promise<void> {
  const filter = sockets
    .map(({ local, remote }) => `( src ${end(local)} and dst ${end(remote)} )`)
    .join(' or ');
  await tryTool('ss', ['-HKtn', filter]);
}

function end({ address, port }: Side): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
