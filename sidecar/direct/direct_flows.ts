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
import { messageOf } from '../../common/errno.ts';
import { LatestWins } from '../../common/latest_wins.ts';
import type { Judge } from '../../policy/index.ts';
import type { EndedSocket } from '../kernel/index.ts';
import type { RelayEvents } from '../relay/index.ts';
import { type DirectKernel, KERNEL } from './direct_kernel.ts';
import type { DirectPorts } from './direct_ports.ts';
import { DirectReports } from './direct_reports.ts';
import { AUDIT_INTERVAL_MS, Doubts } from './doubts.ts';
import { Followed } from './followed.ts';
import { ASKED_AT_ONCE, SocketCutter } from './socket_cutter.ts';
import { endsOf } from './socket_orders.ts';
import { Stocktaking } from './stocktaking.ts';

/**
 * From the first report that waits until all are read, so that there are some, ms: the precision of durations. Also how often those
 * connections are asked about of which something is in doubt.
 */
const READ_INTERVAL_MS = 50;

/** Connections whose bytes are asked for when somebody looks at them, some 3 us each. */
const COUNTED_MAX = 4_096;

/** What failed is tried again after so long, ms: the kernel, or this process, may be short of something. */
const RETRY = { firstMs: 50, lastMs: 2_000, jitter: false } as const;

/** Hears what is not in order. */
export interface DirectSink {
  /** Reports were lost, or there were too many connections: some have no record. */
  overrun(): void;
  /** A connection has ended that was not followed: it has no record. */
  unknownEnded(): void;
  /** Nothing is recorded from here on. */
  failed(error: Error): void;
  /** What is to end did not. It is tried again, where the kernel is not known to be unable. */
  notEnded(problem: string): void;
}

/** Connections of direct ports, from their beginning to their end. */
export class DirectFlows {
  readonly #judge: () => Judge | undefined;
  readonly #sink: DirectSink;
  readonly #kernel: DirectKernel;
  readonly #reports: DirectReports;
  readonly #followed: Followed;
  readonly #cutter: SocketCutter;
  readonly #doubts: Doubts;
  readonly #stock: Stocktaking;
  readonly #mustEnd: boolean;
  #timer: NodeJS.Timeout | undefined;
  /** Reads one after another. */
  #reading: Promise<void> = Promise.resolve();
  /** One at a time: while one is tried again, the next ones are one. */
  readonly #sweeps = new LatestWins<void>(() => this.#sweep());
  #isClosed = false;
  #counting: Promise<void> | undefined;
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
    this.#judge = judge;
    this.#sink = sink;
    this.#kernel = kernel;
    this.#mustEnd = mustEnd;
    const reports = new DirectReports(kernel, ports.wanted, {
      began: (flow) => this.#followed.began(flow),
      isNews: (cookie) => !this.#cutter.hasCut(cookie),
      ended: (socket) => this.#ended(socket),
      lost: () => {
        this.#doubts.lost();
        sink.overrun();
      },
      waiting: () => this.#readIn(READ_INTERVAL_MS),
      failed: (error) => sink.failed(error),
    });
    const cutter = new SocketCutter(
      kernel,
      {
        read: () => this.read(),
        finish: (one) => this.#followed.finish(one, 'reset'),
        failed: (problem) => sink.notEnded(problem),
      },
      mustEnd,
    );
    const followed = new Followed(ports, judge, {
      accepted: (connection) => accepting.accepted(connection),
      doom: (connection) => cutter.doom(connection),
      overrun: () => sink.overrun(),
    });
    this.#reports = reports;
    this.#cutter = cutter;
    this.#followed = followed;
    this.#stock = new Stocktaking({ kernel, followed, reports, cutter, judge });
    this.#doubts = new Doubts(kernel, followed, reports, () => this.#stock.take(true));
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
      .then(() => this.#stock.forgetHandshakes())
      // The list is shorter then, and those that are known do not wait for it.
      .then(() => this.#cutter.ordered())
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

  /**
   * The list of sockets does not show which connections the pod's own rules have redirected. Where reports were lost, connection
   * tracking is asked about each.
   */
  async #takeStock(): Promise<void> {
    const { hasLostReports } = this.#doubts;
    await this.#stock.take(hasLostReports);
    // The last reports were read at its end.
    if (!hasLostReports && this.#doubts.hasLostReports) await this.#stock.take(true);
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
    const all = this.#followed.first(COUNTED_MAX);
    for (let from = 0; from < all.length; from += ASKED_AT_ONCE) {
      const some = all.slice(from, from + ASKED_AT_ONCE);
      const sockets = this.#kernel.socketsAt(some.map(endsOf));
      for (const [index, one] of some.entries()) {
        const socket = sockets[index];
        if (socket === undefined) continue;
        one.counted(socket);
        this.#followed.seen(one, socket);
      }
      await turn();
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

  /** Reads again when reports come. Where nothing is in doubt and none comes, it hardly ever does: that costs nothing. */
  #later(): void {
    this.#readIn(this.#isSettled ? AUDIT_INTERVAL_MS : READ_INTERVAL_MS);
    if (this.#isSettled) this.#reports.arm();
  }

  /** Whether nothing is in doubt before another report comes. */
  get #isSettled(): boolean {
    return this.#doubts.areSettled && this.#readingProblem === undefined;
  }

  #readIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#reports.areOpen || this.#isClosed) return;
    this.#timer = setTimeout(() => void this.read().then(() => this.#later()), ms);
  }

  /** Never rejects. */
  async #readAll(): Promise<void> {
    try {
      await this.#reports.read();
      await this.#doubts.ask();
      this.#readingProblem = undefined;
    } catch (error) {
      this.#readingProblem = messageOf(error); // what was not asked about is there next time
    }
    // Also after a read that no report has asked for: what is in doubt now is asked about soon.
    if (!this.#isSettled) this.#readIn(READ_INTERVAL_MS);
  }

  #ended(socket: EndedSocket): void {
    const { local, remote, bytesSent, bytesReceived, end, cookie } = socket;
    if (remote.port === 0) return this.#doubts.reset(socket);
    const connection = this.#followed.holding(socket, cookie);
    if (connection === undefined) {
      // It may have been destroyed here since its report was read.
      if (this.#followed.isServed(local, remote) && !this.#cutter.hasCut(cookie)) this.#sink.unknownEnded();
      return;
    }
    connection.counted({ bytesSent, bytesReceived });
    if (this.#cutter.takesEnd(connection, cookie)) return; // it says when
    this.#followed.finish(connection, ENDS[end]);
  }
}

/** How the kernel's ends are called. */
const ENDS = { closed: 'closed', silent: 'peer-timeout', reset: 'broken' } as const;
