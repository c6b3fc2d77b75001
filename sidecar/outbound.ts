/**
 * Flows that the pod has open to others. They do not pass the proxy: the gate looks at each packet. When a table no longer
 * allows a TCP connection, its socket is destroyed in the kernel, which resets both ends at once. A UDP or SCTP flow that
 * the kernel keeps with a Service's old backend is forgotten there, so that its next packet gets another one.
 * Source: ss(8), sock_diag(7), conntrack(8).
 */
import {
  type Judge,
  type PodIdentity,
  type Protocol,
  SluiceError,
  socketAddress,
  virtualKey,
} from '../policy/index.ts';
import type { Revocation } from './live_table.ts';
import { tryTool } from './tools.ts';

/** An address and port. */
export interface Side {
  readonly address: string;
  readonly port: number;
}

/** A flow that the pod opened, as connection tracking knows it. */
interface TrackedFlow {
  readonly protocol: Protocol;
  readonly local: Side;
  /** May be a Service's virtual address. */
  readonly remote: Side;
  /** Who really answers. */
  readonly backend: Side;
}

/** A connection that was destroyed. */
export interface EndedOutbound {
  readonly local: Side;
  readonly remote: Side;
  readonly backend: Side;
  readonly identity: PodIdentity | undefined;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly revocation: Revocation;
}

/** Filters longer than this are split: one argument is at most 128 KiB, a socket takes up to 110 bytes. */
const SOCKETS_PER_COMMAND = 1_000;

/** Ends outbound flows that tables disallow: one run at a time, of several requests in a row only the last. */
export class OutboundCutter {
  readonly #ended: (ended: EndedOutbound) => void;
  #wanted: Judge | undefined;
  #running: Promise<void> | undefined;

  /** @param ended called for each connection that was destroyed */
  constructor(ended: (ended: EndedOutbound) => void) {
    this.#ended = ended;
  }

  /**
   * Ends what `judge` does not allow; resolves when that is done.
   * @throws SluiceError `TOOL_*` or `OUTBOUND_UNSUPPORTED`; the gate then ends flows with their next packet
   */
  async cut(judge: Judge): Promise<void> {
    this.#wanted = judge;
    while (this.#wanted !== undefined) {
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
  }

  async #run(): Promise<void> {
    const judge = this.#wanted;
    this.#wanted = undefined;
    if (judge === undefined || judge.table.egress.isolating.length === 0) return;
    const own = new Set(judge.table.subject.ips);
    const [flows, sockets] = await Promise.all([trackedFlows('TCP', own), establishedSockets()]);
    const ended = flows.flatMap((flow): EndedOutbound[] => {
      const figures = sockets.get(key(flow.local, flow.remote));
      const revocation = figures === undefined ? undefined : revoked(flow, judge);
      if (figures === undefined || revocation === undefined) return [];
      const { local, remote, backend } = flow;
      return [{ local, remote, backend, identity: judge.identify(backend.address), ...figures, revocation }];
    });
    for (let from = 0; from < ended.length; from += SOCKETS_PER_COMMAND) {
      await destroy(ended.slice(from, from + SOCKETS_PER_COMMAND));
    }
    for (const one of ended) this.#ended(one);
    if (Object.keys(judge.table.services).length > 0) await forgetOldBackends(own, judge);
  }
}

function revoked({ remote, backend }: TrackedFlow, judge: Judge): Revocation | undefined {
  const verdict = judge.judge('egress', backend.address, 'TCP', backend.port);
  if (verdict.verdict === 'deny') return { cause: 'policy-changed', verdict };
  // Opened before this pod picked backends itself: which one the node took is not known here.
  const isVirtual =
    isSame(remote, backend) &&
    Object.hasOwn(judge.table.services, virtualKey(remote.address, 'TCP', remote.port));
  return isVirtual ? { cause: 'service-unresolved', verdict } : undefined;
}

/** Flows whose first packet came from one of the pod's own addresses and went elsewhere. */
async function trackedFlows(protocol: Protocol, own: ReadonlySet<string>): Promise<readonly TrackedFlow[]> {
  const families = new Set([...own].map((address) => (address.includes(':') ? 'ipv6' : 'ipv4')));
  const listed = await Promise.all(
    [...families].map((family) => tryTool('conntrack', ['-L', '-f', family, '-p', protocol.toLowerCase()])),
  );
  const lines = listed.flatMap(({ stdout }) => stdout.split('\n'));
  return lines.flatMap((line): TrackedFlow[] => {
    // `src=… dst=… sport=… dport=…` twice: as opened, and as answered.
    const values = [...line.matchAll(/\b(?:src|dst|sport|dport)=(\S+)/g)].map((match) => match[1] ?? '');
    const [src = '', dst = '', sport, dport, backend = '', , backendPort] = values;
    if (backend === '') return [];
    const flow = {
      protocol,
      local: { address: socketAddress(src), port: Number(sport) },
      remote: { address: socketAddress(dst), port: Number(dport) },
      backend: { address: socketAddress(backend), port: Number(backendPort) },
    };
    return own.has(flow.local.address) && !own.has(flow.backend.address) ? [flow] : [];
  });
}

/** A UDP or SCTP flow stays with its backend as long as packets come, whether that may be reached or not. */
async function forgetOldBackends(own: ReadonlySet<string>, judge: Judge): Promise<void> {
  const flows = await Promise.all((['UDP', 'SCTP'] as const).map((protocol) => trackedFlows(protocol, own)));
  for (const { protocol, local, remote, backend } of flows.flat()) {
    const service = judge.table.services[virtualKey(remote.address, protocol, remote.port)];
    if (service === undefined) continue;
    const isListed = service.backends.some((one) => isSame(one, backend));
    const verdict = judge.judge('egress', backend.address, protocol, backend.port);
    if (isListed && verdict.verdict === 'allow') continue;
    const tuple = [
      '-s',
      local.address,
      '-d',
      remote.address,
      '--sport',
      String(local.port),
      '--dport',
      String(remote.port),
    ];
    await tryTool('conntrack', ['-D', '-p', protocol.toLowerCase(), ...tuple]);
  }
}

interface Figures {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Byte counts of the pod's TCP connections that an app has open, by both ends. */
async function establishedSockets(): Promise<ReadonlyMap<string, Figures>> {
  const { stdout } = await tryTool('ss', ['-HOtni', 'state', 'established', 'state', 'close-wait']);
  const found = new Map<string, Figures>();
  for (const line of stdout.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const [local, remote] = [sideOf(fields[3]), sideOf(fields[4])];
    if (local === undefined || remote === undefined) continue;
    found.set(key(local, remote), {
      bytesSent: figure(line, 'bytes_sent'),
      bytesReceived: figure(line, 'bytes_received'),
    });
  }
  return found;
}

/** `10.1.2.3:80`, `[fd00::1]:80` or `[::ffff:10.1.2.3]:80`. */
function sideOf(text: string | undefined): Side | undefined {
  const match = /^\[?([0-9a-f.:]+?)\]?:(\d+)$/.exec(text ?? '');
  if (match === null) return undefined;
  return { address: socketAddress(match[1] ?? ''), port: Number(match[2]) };
}

function figure(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
}

async function destroy(sockets: readonly { readonly local: Side; readonly remote: Side }[]): Promise<void> {
  const filter = sockets
    .map(({ local, remote }) => `( src ${end(local)} and dst ${end(remote)} )`)
    .join(' or ');
  const { status, stderr } = await tryTool('ss', ['-HKtn', filter]);
  if (status === 0 && !/not supported/i.test(stderr)) return;
  const hint = 'the kernel needs CONFIG_INET_DIAG_DESTROY; they end with their next packet';
  throw new SluiceError('OUTBOUND_UNSUPPORTED', `ss cannot destroy sockets (${stderr.trim()}): ${hint}`);
}

function isSame(a: Side, b: Side): boolean {
  return a.address === b.address && a.port === b.port;
}

function key(local: Side, remote: Side): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}

function end({ address, port }: Side): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
