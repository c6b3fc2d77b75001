/**
 * Follows the connections of the direct ports, which the proxy never sees. Connection tracking reports that one has begun, the
 * kernel that its socket is gone; what is to end is destroyed. To the sidecar each is a connection that is accepted already: it is
 * judged and recorded like those of the proxy.
 *
 * Reports wait in the kernel until they are read. So a change of the table reads first what has begun before it, and looks through
 * the kernel's own list of sockets when the gate is in force: what was on its way then is in that list, or is reported later, and
 * judged by the table of then. Where reports were lost, the list stands in for them.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Backoff } from '../../common/backoff.ts';
import { errnoName, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { LatestWins } from '../../common/latest_wins.ts';
import { Recent } from '../../common/recent.ts';
import { isLoopback, type Judge } from '../../policy/index.ts';
import {
  type EndedSocket,
  firstFailure,
  type Side,
  SOCKET_STATES,
  type TcpSocket,
  type TrackedFlow,
  type WantedPorts,
} from '../kernel/index.ts';
import type { RelayEvents } from '../relay/index.ts';
import { ConnectionsByEnds } from './connections_by_ends.ts';
import { DirectConnection } from './direct_connection.ts';
import { type DirectKernel, KERNEL } from './direct_kernel.ts';
import { DirectReports } from './direct_reports.ts';
import { ASKED_AT_ONCE, endsOf, SocketCutter } from './socket_cutter.ts';

/** How often reports are read: the precision of durations, ms. An idle read takes microseconds. */
const READ_INTERVAL_MS = 50;

/** Sockets judged at a time, some 20 us each. */
const AT_ONCE = 50;

/** Most connections that are followed; some 450 bytes each. Those beyond it have no record, and end with a table all the same. */
const FOLLOWED_MAX = 65_536;

/** Ends of apps that are shared by their connections; an app has few. */
const PLACES_MAX = 256;

/** Connections of one client that are asked about because one of them was reset by the app. */
const SUSPECTS_MAX = 1_024;

/** Connections whose bytes are asked for when somebody looks at them, some 20 us each. */
const COUNTED_MAX = 4_096;

/** How often some connections are asked about, ms, and how many: a report may be missing. */
const AUDIT_INTERVAL_MS = 10_000;
const AUDITED_AT_ONCE = 256;

/** What failed is tried again after so long, ms: the kernel, or this process, may be short of something. */
const RETRY = { firstMs: 50, lastMs: 2_000, jitter: false } as const;

/** Which connections are direct. */
export interface DirectPorts {
  /** Whether connections to a port go straight to the app. Not so for ports of the sidecar's own. */
  isDirect(port: number): boolean;
  /** The same for the kernel, which reports no others. */
  readonly wanted: WantedPorts;
  /** Whether the redirect lets an address in to a port without asking policy: the pod's own node. */
  isExempt(address: string, port: number): boolean;
}

/** Hears what is not in order. */
export interface DirectSink {
  /** Reports were lost, or there were too many connections: some have no record. */
  overrun(): void;
  /** Nothing is recorded from here on. */
  failed(error: Error): void;
  /** What is to end did not. It is tried again, where the kernel is not known to be unable. */
  notEnded(problem: string): void;
}

/** Connections of direct ports, from their beginning to their end. */
export class DirectFlows {
  readonly #ports: DirectPorts;
  readonly #events: Pick<RelayEvents, 'accepted'>;
  readonly #judge: () => Judge | undefined;
  readonly #sink: DirectSink;
  readonly #kernel: DirectKernel;
  readonly #live = new ConnectionsByEnds();
  readonly #places = new Recent<string, Side>(PLACES_MAX);
  readonly #cookies: ReturnType<DirectKernel['cookies']>;
  readonly #reports: DirectReports;
  readonly #cutter: SocketCutter;
  readonly #mustEnd: boolean;
  #timer: NodeJS.Timeout | undefined;
  /** Reads one after another. */
  #reading: Promise<void> = Promise.resolve();
  /** Clients of whom an app has reset a connection, with its port. */
  readonly #suspects = new Map<string, { readonly client: string; readonly port: number }>();
  /** Found in the kernel's list: their beginnings may still be reported. */
  readonly #listed = new Set<DirectConnection>();
  /** One at a time: while one is tried again, the next ones are one. */
  readonly #sweeps = new LatestWins<void>(() => this.#sweep());
  #isLost = false;
  #isClosed = false;
  #counting: Promise<void> | undefined;
  #auditing: Iterator<DirectConnection> | undefined;
  #auditedAtMs = performance.now();
  /** Of the last sweep, and of the last reading. */
  #problem: string | undefined;
  #readingProblem: string | undefined;

  /**
   * @param accepting takes over each connection when it has begun
   * @param judge the one in force
   * @param mustEnd false: the kernel is known not to destroy sockets, so nobody waits for that
   */
  constructor(
    ports: DirectPorts,
    accepting: Pick<RelayEvents, 'accepted'>,
    judge: () => Judge | undefined,
    sink: DirectSink,
    mustEnd = true,
    kernel = KERNEL,
  ) {
    this.#ports = ports;
    this.#events = accepting;
    this.#judge = judge;
    this.#sink = sink;
    this.#kernel = kernel;
    this.#mustEnd = mustEnd;
    this.#cookies = kernel.cookies();
    this.#reports = new DirectReports(kernel, ports.wanted, {
      began: (flow) => this.#began(flow),
      ended: (socket) => this.#ended(socket),
      lost: () => {
        this.#isLost = true;
        sink.overrun();
      },
      failed: (error) => sink.failed(error),
    });
    const events = {
      read: () => this.read(),
      finish: (one: DirectConnection) => this.#finish(one, 'reset'),
      failed: (problem: string) => sink.notEnded(problem),
    };
    this.#cutter = new SocketCutter(kernel, events, mustEnd);
  }

  /** Why connections were not ended, or not looked at, the last time. */
  get problem(): string | undefined {
    return this.#cutter.problem ?? this.#problem ?? this.#readingProblem;
  }

  /** Begins to follow; connections that are there already are taken over. Never rejects. */
  async start(): Promise<void> {
    this.#reports.open();
    if (!this.#reports.areOpen) return;
    // Before the first table the gate is shut. What was there before this process is looked at when that table comes.
    if (this.#judge() !== undefined) await this.#look();
    this.#later();
  }

  /** To be called when another table is in force: what has begun before is judged by it. Never rejects. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readAll());
    return this.#reading;
  }

  /**
   * Ends what the table in force does not allow, whether it was reported or not, and what is being opened too. Resolves when all
   * that was to end is destroyed, however often that has to be tried. Never rejects: see `problem`.
   */
  async sweep(): Promise<void> {
    await this.#sweeps.do();
  }

  /** Resolves when all that was to end is destroyed. */
  settled(): Promise<void> {
    return this.#cutter.settled();
  }

  async #sweep(): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (!(await this.#look()) && this.#mustEnd && !this.#isClosed)
      await delay(backoff.next(), undefined, { ref: false });
    await this.settled();
  }

  /** @returns whether all sockets were looked at, and those that nobody follows are gone where they are denied */
  async #look(): Promise<boolean> {
    let isDone = false;
    this.#reading = this.#reading
      .then(() => this.#readAll())
      .then(() => this.#forgetHandshakes())
      .then(() => this.#takeStock())
      .then(
        () => {
          isDone = true;
          this.#problem = undefined;
        },
        (error: unknown) => {
          this.#problem = messageOf(error);
          this.#sink.notEnded(this.#problem);
        },
      );
    await this.#reading;
    return isDone;
  }

  /** Takes note of what has begun by now, and asks the kernel how far connections are, for who looks at them: the first of many. */
  async count(): Promise<void> {
    this.#counting ??= this.read()
      .then(() => this.#count())
      .finally(() => {
        this.#counting = undefined;
      });
    await this.#counting;
  }

  async #count(): Promise<void> {
    const all = this.#first(COUNTED_MAX, this.#live);
    for (let from = 0; from < all.length; from += ASKED_AT_ONCE) {
      const some = all.slice(from, from + ASKED_AT_ONCE);
      const sockets = await this.#kernel.socketsAt(some.map(endsOf));
      for (const [index, one] of some.entries()) {
        const socket = sockets[index];
        if (socket !== undefined) one.counted(socket);
      }
    }
  }

  /** Reports what has ended by now, and stops. The connections go on. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isClosed = true;
    this.#cutter.close();
    await this.read();
    this.#reports.close();
  }

  #first(most: number, of: Iterable<DirectConnection>): readonly DirectConnection[] {
    const some: DirectConnection[] = [];
    for (const one of of) if (some.push(one) >= most) break;
    return some;
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      void this.read().then(() => {
        if (this.#reports.areOpen && !this.#isClosed) this.#later();
      });
    }, READ_INTERVAL_MS);
  }

  /** Never rejects. */
  async #readAll(): Promise<void> {
    try {
      await this.#reports.read();
      await this.#findReset();
      if (this.#isLost) await this.#findLost();
      if (performance.now() - this.#auditedAtMs >= AUDIT_INTERVAL_MS) await this.#audit();
      this.#readingProblem = undefined;
    } catch (error) {
      this.#readingProblem = messageOf(error); // what was not asked about is there next time
    }
  }

  #began({ protocol, source, answering }: TrackedFlow): void {
    if (protocol !== 'TCP' || !this.#concerns(answering, source)) return;
    const known = this.#live.get(source, answering);
    if (known === undefined || !this.#listed.delete(known)) this.#follow(answering, source);
  }

  /** Whether a socket with these ends is one that the app has accepted on a direct port, or one that the pod has opened. */
  #concerns(local: Side, remote: Side): boolean {
    if (!this.#ports.isDirect(local.port) || remote.address === local.address) return false;
    if (isLoopback(remote.address) || this.#ports.isExempt(remote.address, local.port)) return false;
    return this.#judge()?.table.subject.ips.includes(remote.address) !== true;
  }

  #follow(local: Side, remote: Side): DirectConnection | undefined {
    if (this.#live.size >= FOLLOWED_MAX) {
      this.#sink.overrun();
      return undefined;
    }
    const connection = new DirectConnection(remote, this.#shared(local), this.#cutter);
    this.#live.add(connection);
    connection.owner = this.#events.accepted(connection);
    return connection;
  }

  /** The same object for the same end of the app: there are few of these, and many connections. */
  #shared(local: Side): Side {
    const key = `${local.address} ${local.port}`;
    return this.#places.get(key) ?? this.#places.keep(key, local);
  }

  #ended({ local, remote, bytesSent, bytesReceived, end, cookie }: EndedSocket): void {
    if (this.#cutter.hasCut(cookie)) return; // what there is to record is recorded
    if (remote.port === 0) {
      this.#suspects.set(`${remote.address} ${local.port}`, { client: remote.address, port: local.port });
      return;
    }
    const connection = this.#live.get(remote, local);
    if (connection === undefined) return;
    connection.counted({ bytesSent, bytesReceived });
    this.#finish(connection, ENDS[end]);
  }

  #finish(connection: DirectConnection, end: Parameters<DirectConnection['ended']>[0]): void {
    if (this.#live.remove(connection)) connection.ended(end);
  }

  /** An app has reset connections: the kernel says of which client, not which. They are those that are not there any more. */
  async #findReset(): Promise<void> {
    if (this.#suspects.size === 0) return;
    for (const [key, { client, port }] of [...this.#suspects]) {
      const some = this.#first(SUSPECTS_MAX, this.#live.of(client, port));
      await this.#endMissing(some, 'reset-by-destination');
      this.#suspects.delete(key);
    }
  }

  /** Reports were lost: all connections are asked about, and those that are not known are looked for. */
  async #findLost(): Promise<void> {
    this.#isLost = false;
    try {
      const all = [...this.#live];
      for (let from = 0; from < all.length; from += ASKED_AT_ONCE)
        await this.#endMissing(all.slice(from, from + ASKED_AT_ONCE), 'broken');
      await this.#takeStock();
    } catch (error) {
      this.#isLost = true;
      throw error;
    }
  }

  /** Asks about some connections, each time about others. */
  async #audit(): Promise<void> {
    this.#auditedAtMs = performance.now();
    const some: DirectConnection[] = [];
    this.#auditing ??= this.#live[Symbol.iterator]();
    while (some.length < AUDITED_AT_ONCE) {
      const { done, value } = this.#auditing.next();
      if (done === true) {
        this.#auditing = undefined;
        break;
      }
      some.push(value);
    }
    await this.#endMissing(some, 'broken');
  }

  /** Ends those of the connections that the kernel does not have any more, and has not reported either. */
  async #endMissing(
    connections: readonly DirectConnection[],
    end: 'broken' | 'reset-by-destination',
  ): Promise<void> {
    if (connections.length === 0) return;
    const sockets = await this.#kernel.socketsAt(connections.map(endsOf));
    const missing = connections.filter((_, index) => sockets[index] === undefined);
    if (missing.length === 0) return;
    await this.#reports.read();
    for (const one of missing) this.#finish(one, end);
  }

  /**
   * A client that has a SYN cookie can complete its handshake long after the gate was shut to it. Connection tracking forgets that
   * the handshake has begun: its last packet is then that of another flow, which the gate judges.
   */
  async #forgetHandshakes(): Promise<void> {
    if (!this.#cookies.mayBeValid()) return;
    const denied: TrackedFlow[] = [];
    for await (const some of this.#kernel.openHandshakes())
      for (const flow of some)
        if (this.#concerns(flow.answering, flow.source) && this.#isDenied(flow.source, flow.answering))
          denied.push(flow);
    const failed = firstFailure(await this.#kernel.forget(denied));
    if (failed !== undefined)
      throw new SluiceError('NETLINK_FAILED', `the kernel does not forget flows: ${errnoName(failed)}`);
  }

  /** Looks through the kernel's sockets for those that are not followed: they are now, or end. */
  async #takeStock(): Promise<void> {
    const strangers: TcpSocket[] = [];
    const isStranger = (local: Side, remote: Side): boolean =>
      this.#concerns(local, remote) && this.#live.get(remote, local)?.isDoomed !== false;
    const states = SOCKET_STATES.live | SOCKET_STATES.arriving;
    for await (const some of this.#kernel.sockets(isStranger, states)) strangers.push(...some);
    const doomed: TcpSocket[] = [];
    for (const [index, socket] of (await this.#accepted(strangers)).entries()) {
      if (index % AT_ONCE === AT_ONCE - 1) await turn();
      const known = this.#live.get(socket.remote, socket.local);
      if (this.#cutter.isCut(socket)) continue; // while it was asked about
      if (known !== undefined) {
        if (known.isDoomed && this.#cutter.isIdle) this.#cutter.doom(known); // an order has failed
        continue;
      }
      // Who takes over what is followed from now on judges it.
      const isFollowed = !socket.isArriving && this.#live.size < FOLLOWED_MAX;
      if (!isFollowed && this.#isDenied(socket.remote, socket.local)) doomed.push(socket);
      else if (!socket.isArriving) {
        const connection = this.#follow(socket.local, socket.remote);
        if (connection !== undefined) this.#listed.add(connection);
      }
    }
    const gone = await this.#cutter.destroy(doomed);
    if (gone.includes(false))
      throw new SluiceError('NETLINK_FAILED', this.#cutter.problem ?? 'not destroyed');
    await this.#reports.read();
    this.#listed.clear();
  }

  /** Those that the pod has not opened itself. */
  async #accepted(sockets: readonly TcpSocket[]): Promise<readonly TcpSocket[]> {
    const asked = sockets.filter(({ isArriving }) => !isArriving);
    const flows = await this.#kernel.flowsOf(asked);
    const accepted = sockets.filter(({ isArriving }) => isArriving);
    for (const [index, socket] of asked.entries()) {
      const flow = flows[index];
      const isAccepted =
        flow === undefined
          ? await this.#kernel.isListening(socket.local)
          : isSame(flow.source, socket.remote);
      if (isAccepted) accepted.push(socket);
    }
    return accepted;
  }

  /** Whether the table in force denies a client for certain: it knows all that has to be known of it. */
  #isDenied(client: Side, { port }: Side): boolean {
    const judge = this.#judge();
    if (judge === undefined) return false;
    if (judge.judge('ingress', client.address, 'TCP', port).verdict === 'allow') return false;
    return !judge.isUnsure('ingress', client.address, 'TCP', port);
  }
}

/** How the kernel's ends are called. */
const ENDS = { closed: 'closed', silent: 'peer-timeout', reset: 'broken' } as const;

function isSame(a: Side, b: Side): boolean {
  return a.address === b.address && a.port === b.port;
}
