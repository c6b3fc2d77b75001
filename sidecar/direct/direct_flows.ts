/**
 * Follows the connections of the direct ports, which the proxy never sees. Connection tracking reports that one has begun, the
 * kernel that its socket is gone; what is to end is destroyed. To the sidecar each is a connection that is accepted already: it is
 * judged and recorded like those of the proxy.
 *
 * Reports wait in the kernel until they are read. So a change of the table reads first what has begun before it, and looks through
 * the kernel's own list of sockets when the gate is in force: what was on its way then is in that list, or is reported later, and
 * judged by the table of then. Where reports were lost, the list stands in for them.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { asError, errnoName, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { Recent } from '../../common/recent.ts';
import { isLoopback, type Judge } from '../../policy/index.ts';
import {
  backlogRoom,
  ConntrackEvents,
  destroySockets,
  type EndedSocket,
  firstFailure,
  hasFailed,
  type Side,
  SOCKET_STATES,
  SocketEnds,
  socketCookie,
  type TcpSocket,
  type TrackedFlow,
  tcpFlows,
  tcpSockets,
  tcpSocketsAt,
  type WantedPorts,
} from '../kernel/index.ts';
import type { RelayEvents } from '../relay/index.ts';
import { ConnectionsByEnds } from './connections_by_ends.ts';
import { DirectConnection, type DirectCutter } from './direct_connection.ts';

/** How often reports are read: the precision of durations, ms. An idle read takes microseconds. */
const READ_INTERVAL_MS = 50;

/** Reports taken at a time: a record takes some 50 us. */
const AT_ONCE = 50;

/** Most connections that are followed; some 450 bytes each. Those beyond it have no record, and end with a table all the same. */
const FOLLOWED_MAX = 65_536;

/** Connections that are asked about at a time, some 20 us each, and of one order to the kernel. */
const ASKED_AT_ONCE = 256;

/** Destroyed sockets that their apps still hold: when they close them, that is reported too. */
const CUT_REMEMBERED = 4_096;

/** Ends of apps that are shared by their connections; an app has few. */
const PLACES_MAX = 256;

/** Connections of one client that are asked about because one of them was reset by the app. */
const SUSPECTS_MAX = 1_024;

/** Connections whose bytes are asked for when somebody looks at them, some 20 us each. */
const COUNTED_MAX = 4_096;

/** How often some connections are asked about, ms, and how many: a report may be missing. */
const AUDIT_INTERVAL_MS = 10_000;
const AUDITED_AT_ONCE = 256;

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
}

/** What the kernel does for it. */
export interface DirectKernel {
  beginnings(): Pick<ConntrackEvents, 'receive' | 'close'>;
  ends(wanted: WantedPorts): Pick<SocketEnds, 'receive' | 'close'>;
  sockets(
    wanted: (local: Side, remote: Side) => boolean,
    states: number,
  ): AsyncIterable<readonly TcpSocket[]>;
  socketsAt(
    ends: readonly { readonly local: Side; readonly remote: Side }[],
  ): Promise<readonly (TcpSocket | undefined)[]>;
  flowsOf(sockets: readonly TcpSocket[]): Promise<readonly (TrackedFlow | undefined)[]>;
  /** Whether somebody listens there. */
  isListening(place: Side): Promise<boolean>;
  /** @returns for each 0 or a negative error number */
  destroy(sockets: readonly TcpSocket[]): Promise<readonly number[]>;
}

/** The kernel of this network namespace, by netlink. */
const KERNEL: DirectKernel = {
  beginnings: () => new ConntrackEvents('beginnings'),
  ends: (wanted) => new SocketEnds(wanted),
  sockets: tcpSockets,
  socketsAt: tcpSocketsAt,
  flowsOf: (sockets) =>
    tcpFlows(sockets.map(({ local, remote }) => ({ source: remote, destination: local }))),
  isListening: async (place) => (await backlogRoom(place)) !== undefined,
  destroy: destroySockets,
};

/** Connections of direct ports, from their beginning to their end. */
export class DirectFlows implements DirectCutter {
  readonly #ports: DirectPorts;
  readonly #events: Pick<RelayEvents, 'accepted'>;
  readonly #judge: () => Judge | undefined;
  readonly #sink: DirectSink;
  readonly #kernel: DirectKernel;
  readonly #live = new ConnectionsByEnds();
  readonly #places = new Recent<string, Side>(PLACES_MAX);
  readonly #cut = new Recent<number, true>(CUT_REMEMBERED);
  #beginnings: ReturnType<DirectKernel['beginnings']> | undefined;
  #ends: ReturnType<DirectKernel['ends']> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Reads one after another. */
  #reading: Promise<void> = Promise.resolve();
  /** Clients of whom an app has reset a connection, with its port. */
  readonly #suspects = new Map<string, { readonly client: string; readonly port: number }>();
  /** Found in the kernel's list: their beginnings may still be reported. */
  readonly #listed = new Set<DirectConnection>();
  #isLost = false;
  #doomed: DirectConnection[] = [];
  #cutting: Promise<void> | undefined;
  #counting: Promise<void> | undefined;
  #auditing: Iterator<DirectConnection> | undefined;
  #auditedAtMs = performance.now();
  #problem: string | undefined;

  /**
   * @param events takes over each connection when it has begun
   * @param judge the one in force
   */
  constructor(
    ports: DirectPorts,
    events: Pick<RelayEvents, 'accepted'>,
    judge: () => Judge | undefined,
    sink: DirectSink,
    kernel = KERNEL,
  ) {
    this.#ports = ports;
    this.#events = events;
    this.#judge = judge;
    this.#sink = sink;
    this.#kernel = kernel;
  }

  /** Why connections were not ended the last time. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Begins to follow; connections that are there already are taken over. Never rejects. */
  async start(): Promise<void> {
    try {
      this.#beginnings = this.#kernel.beginnings();
      this.#ends = this.#kernel.ends(this.#ports.wanted);
    } catch (error) {
      return this.#fail(asError(error));
    }
    // Before the first table the gate is shut. What was there before this process is looked at when that table comes.
    if (this.#judge() !== undefined) await this.sweep();
    this.#later();
  }

  /** To be called when another table is in force: what has begun before is judged by it. Never rejects. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readAll());
    return this.#reading;
  }

  /**
   * Ends what the table in force does not allow, whether it was reported or not, and what is being opened too. Resolves when all
   * that was to end is destroyed. Never rejects: see `problem`.
   */
  async sweep(): Promise<void> {
    this.#reading = this.#reading
      .then(() => this.#readAll())
      .then(() => this.#takeStock())
      .catch((error: unknown) => {
        this.#problem = messageOf(error);
      });
    await this.#reading;
    await this.settled();
  }

  /** Resolves when all that was to end is destroyed. */
  async settled(): Promise<void> {
    while (this.#cutting !== undefined) await this.#cutting;
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
    await this.read();
    this.#stop();
  }

  doom(connection: DirectConnection): void {
    this.#doomed.push(connection);
    // Not at once: of all that a change ends there is one order.
    this.#cutting ??= Promise.resolve().then(() => this.#cutDoomed());
  }

  #first(most: number, of: Iterable<DirectConnection>): readonly DirectConnection[] {
    const some: DirectConnection[] = [];
    for (const one of of) if (some.push(one) >= most) break;
    return some;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#beginnings?.close();
    this.#ends?.close();
    this.#beginnings = undefined;
    this.#ends = undefined;
  }

  #fail(error: Error): void {
    this.#stop();
    this.#sink.failed(error);
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      void this.read().then(() => {
        if (this.#ends !== undefined) this.#later();
      });
    }, READ_INTERVAL_MS);
  }

  /** Never rejects. */
  async #readAll(): Promise<void> {
    try {
      await this.#readReports();
      await this.#findReset();
      if (this.#isLost) await this.#findLost();
      if (performance.now() - this.#auditedAtMs >= AUDIT_INTERVAL_MS) await this.#audit();
    } catch (error) {
      this.#fail(asError(error));
    }
  }

  /**
   * Takes all reports that wait. Those of ends are taken first, and then all beginnings, as these come before the ends of the same
   * connections.
   */
  async #readReports(): Promise<void> {
    for (;;) {
      const ended = this.#take(this.#ends);
      for (;;) {
        const begun = this.#take(this.#beginnings);
        if (begun === undefined) break;
        for (const { flow } of begun) this.#began(flow);
        await turn();
      }
      if (ended === undefined) return;
      for (const one of ended) this.#ended(one);
      await turn();
    }
  }

  #take<T>(from: { receive(): readonly T[] | undefined } | undefined): readonly T[] | undefined {
    const taken: T[] = [];
    while (from !== undefined && taken.length < AT_ONCE) {
      try {
        const some = from.receive();
        if (some === undefined) break;
        taken.push(...some);
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'NETLINK_OVERRUN') throw error;
        this.#isLost = true;
        this.#sink.overrun();
      }
    }
    return taken.length === 0 ? undefined : taken;
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
    const connection = new DirectConnection(remote, this.#shared(local), this);
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
    if (this.#cut.has(cookie)) return this.#cut.delete(cookie); // what there is to record is recorded
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
    const suspects = [...this.#suspects.values()];
    this.#suspects.clear();
    for (const { client, port } of suspects) {
      const some = this.#first(SUSPECTS_MAX, this.#live.of(client, port));
      await this.#endMissing(some, 'reset-by-destination');
    }
  }

  /** Reports were lost: all connections are asked about, and those that are not known are looked for. */
  async #findLost(): Promise<void> {
    this.#isLost = false;
    const all = [...this.#live];
    for (let from = 0; from < all.length; from += ASKED_AT_ONCE)
      await this.#endMissing(all.slice(from, from + ASKED_AT_ONCE), 'broken');
    await this.#takeStock();
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
    await this.#readReports();
    for (const one of missing) this.#finish(one, end);
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
      if (known !== undefined) {
        if (known.isDoomed && this.#cutting === undefined) this.doom(known); // an order has failed
      } else if (this.#isDenied(socket)) doomed.push(socket);
      else if (!socket.isArriving) {
        const connection = this.#follow(socket.local, socket.remote);
        if (connection !== undefined) this.#listed.add(connection);
      }
    }
    await this.#destroy(doomed);
    await this.#readReports();
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

  /** Of what is followed from now on others say so. */
  #isDenied({ local, remote, isArriving }: TcpSocket): boolean {
    const judge = this.#judge();
    const isFollowed = !isArriving && this.#live.size < FOLLOWED_MAX;
    if (judge === undefined || isFollowed) return false;
    if (judge.judge('ingress', remote.address, 'TCP', local.port).verdict === 'allow') return false;
    return !judge.isUnsure('ingress', remote.address, 'TCP', local.port);
  }

  /** Never rejects. */
  async #cutDoomed(): Promise<void> {
    while (this.#doomed.length > 0) {
      const some = this.#doomed;
      this.#doomed = [];
      try {
        const missing = await this.#cutNow(some);
        if (missing.length === 0) continue;
        // They have ended by themselves, or were being opened and the list of sockets had them; or their last packet of the handshake
        // is on its way to the socket.
        await this.read();
        for (const one of await this.#cutNow(missing)) this.#finish(one, 'reset');
      } catch (error) {
        this.#problem = messageOf(error);
      }
    }
    // In the same step as the look at what is left: what is doomed later finds nobody at work.
    this.#cutting = undefined;
  }

  /** While some are destroyed, on another thread, the next ones are asked about. @returns those that the kernel does not have */
  async #cutNow(connections: readonly DirectConnection[]): Promise<readonly DirectConnection[]> {
    const missing: DirectConnection[] = [];
    const orders: Promise<readonly DirectConnection[]>[] = [];
    for (let from = 0; from < connections.length; from += ASKED_AT_ONCE) {
      const some = connections.slice(from, from + ASKED_AT_ONCE);
      const there: { readonly connection: DirectConnection; readonly socket: TcpSocket }[] = [];
      for (const [index, socket] of (await this.#kernel.socketsAt(some.map(endsOf))).entries()) {
        const connection = some[index];
        if (connection === undefined) continue;
        if (socket === undefined) missing.push(connection);
        else there.push({ connection, socket });
      }
      orders.push(
        this.#destroy(there.map(({ socket }) => socket)).then((results) =>
          there.flatMap(({ connection, socket }, index) => {
            if (hasFailed(results[index])) return [];
            connection.counted(socket);
            return [connection];
          }),
        ),
      );
    }
    // Records last: they take longer than all else.
    for (const [index, connection] of (await Promise.all(orders)).flat().entries()) {
      this.#finish(connection, 'reset');
      if (index % AT_ONCE === AT_ONCE - 1) await turn();
    }
    return missing;
  }

  async #destroy(sockets: readonly TcpSocket[]): Promise<readonly number[]> {
    if (sockets.length === 0) return [];
    for (const { handle } of sockets) this.#cut.keep(socketCookie(handle), true);
    const results = await this.#kernel.destroy(sockets);
    for (const [index, { handle }] of sockets.entries())
      if (hasFailed(results[index])) this.#cut.delete(socketCookie(handle));
    const failed = firstFailure(results);
    this.#problem =
      failed === undefined ? undefined : `the kernel does not destroy sockets: ${errnoName(failed)}`;
    return results;
  }
}

/** How the kernel's ends are called. */
const ENDS = { closed: 'closed', silent: 'peer-timeout', reset: 'broken' } as const;

function endsOf({ source, destination }: DirectConnection): { readonly local: Side; readonly remote: Side } {
  return { local: destination, remote: source };
}

function isSame(a: Side, b: Side): boolean {
  return a.address === b.address && a.port === b.port;
}
