/**
 * The connection to the injector: asks for this pod's table, and puts snapshots and deltas in force. Fails static: when a
 * connection or a frame is bad, the last good table stays in force and the stream tries again.
 *
 * An injector that wants the sidecar to move, or that has been silent for too long, is left for another replica: that is a second
 * connection beside the first. The first one serves until a table comes on the second.
 */
import { Backoff, type BackoffBounds, jittered } from '../../common/backoff.ts';
import { asError, messageOf } from '../../common/errno.ts';
import { SluiceError, unreachable } from '../../common/errors.ts';
import { type InjectorFrame, type PeerIdentity, readInjectorFrame, type Table } from '../../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import { type ConnectionListener, InjectorConnection } from './injector_connection.ts';
import { InjectorLink } from './injector_link.ts';
import type { Transport } from './transport.ts';

/**
 * Reconnect delays. The first is anything up to 400 ms: the sidecars of an injector that ended do not come to the others all at
 * once, and do not try five times before it is back. No more than seconds, as no table comes meanwhile.
 */
const RECONNECT: BackoffBounds = { firstMs: 400, lastMs: 10_000, firstFromZero: true };

/**
 * For a connection and its handshake. One replica of some that hangs takes connections and never answers, so the first try is
 * short; where many come at once, handshakes wait for their turn, so the next ones are longer.
 */
const CONNECT: BackoffBounds = { firstMs: 3_000, lastMs: 10_000, jitter: false };

/** An injector that speaks every 1.5 s hangs, or is out of reach. */
const QUIET_MS = 3_000;

/** Others say something every 2 s; five missed heartbeats mean that the injector is gone. */
const GONE_MS = 10_000;

/** Before a sidecar moves to another replica: an injector asks several at a time. */
const MOVE_MS = 500;

/** What the stream reports. In the sidecar, `TableFollower` of `sidecar/assembly/` hears it. */
export interface StreamEvents {
  connected(): void;
  /** Another connection has taken over: what was asked on the one before stays unanswered. @param reason why it was looked for */
  moved(reason: string): void;
  /** @param reason why the connection ended or could not be made */
  disconnected(reason: string): void;
  /**
   * A table is in force at the proxy, and `ended` live flows were ended for it. Of several tables that came at once only the last
   * is reported, with what all of them ended.
   */
  enforced(ended: number): void;
  /** A frame was refused; the table in force stays. */
  refused(error: Error): void;
  /** The injector does not know this pod yet. */
  unknownPod(message: string): void;
  /** Answers `identify`. */
  identified(address: string, pod: PeerIdentity | null): void;
  /** The injector does not serve this sidecar; it is asked again. */
  turnedAway(message: string): void;
}

/** Times; tests shorten them. */
export interface StreamTimes {
  /** Default 3 s. */
  readonly quietMs?: number;
  /** Default 10 s. */
  readonly goneMs?: number;
}

/** Why another replica is looked for. */
interface Search {
  readonly reason: string;
  /** It ends when the present connection speaks again. */
  readonly isForSilence: boolean;
}

/** Follows the injector until `close`. */
export class TableStream implements ConnectionListener {
  readonly #transport: Transport;
  readonly #pod: { readonly namespace: string; readonly name: string };
  readonly #enforcement: Enforcement;
  readonly #events: StreamEvents;
  readonly #link: InjectorLink;
  readonly #times: Required<StreamTimes>;
  #current: InjectorConnection | undefined;
  /** Of the next try to connect. */
  #timer: NodeJS.Timeout | undefined;
  /** Set while another replica is looked for. */
  #search: Search | undefined;
  /** To that replica. */
  #next: InjectorConnection | undefined;
  /** Of the next try to reach it. */
  #nextTimer: NodeJS.Timeout | undefined;
  readonly #backoff = new Backoff(RECONNECT);
  readonly #connectMs = new Backoff(CONNECT);
  #closed = false;
  /** The newest revision on this connection. The next one may be to another injector, which counts from another number. */
  #newest = 0;
  /** Flows that were ended by tables which have not been reported. */
  #unreported: number | undefined;

  /** @param link opened for each connection; it is for those who have something to say to the injector */
  constructor(
    transport: Transport,
    pod: { namespace: string; name: string },
    enforcement: Enforcement,
    events: StreamEvents,
    link = new InjectorLink(),
    times: StreamTimes = {},
  ) {
    this.#transport = transport;
    this.#pod = pod;
    this.#enforcement = enforcement;
    this.#events = events;
    this.#link = link;
    this.#times = { quietMs: QUIET_MS, goneMs: GONE_MS, ...times };
  }

  /** Connects, and reconnects whenever the connection ends. */
  start(): void {
    try {
      this.#current = this.#dial();
    } catch (error) {
      return this.#again(messageOf(error));
    }
    this.#link.close();
    this.#newest = 0;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#endSearch();
    this.#current?.drop();
  }

  #dial(): InjectorConnection {
    return new InjectorConnection(
      this.#transport,
      { ...this.#times, connectMs: this.#connectMs.next() },
      this,
    );
  }

  #again(reason: string): void {
    this.#events.disconnected(reason);
    this.#timer = setTimeout(() => this.start(), this.#backoff.next());
  }

  /** See `ConnectionListener`. */
  ready(connection: InjectorConnection): void {
    connection.greet();
    if (connection !== this.#current) return;
    this.#link.open(connection.socket);
    this.#events.connected();
  }

  /** See `ConnectionListener`. */
  overlong(_connection: InjectorConnection, error: Error): void {
    this.#events.refused(error);
  }

  /** See `ConnectionListener`. One that is asked for a table and falls silent is no better than the present one. */
  quiet(connection: InjectorConnection): void {
    if (connection === this.#next) return this.#tryNextLater();
    this.#look({ reason: `no word for ${this.#times.quietMs} ms`, isForSilence: true }, 0);
  }

  /** See `ConnectionListener`. */
  heard(connection: InjectorConnection): void {
    if (connection === this.#current && this.#search?.isForSilence === true) this.#endSearch();
  }

  /** See `ConnectionListener`. */
  ended(connection: InjectorConnection, reason: string): void {
    if (this.#closed) return;
    if (connection === this.#next) return this.#tryNextLater();
    const next = this.#next;
    if (next?.isReady === true) return this.#moveTo(next);
    this.#endSearch();
    this.#again(reason);
  }

  /** Has another replica looked for, if that is not under way. */
  #look(search: Search, delayMs: number): void {
    const before = this.#search;
    if (before === undefined || !search.isForSilence) this.#search = search;
    if (before === undefined) this.#tryNext(delayMs);
  }

  #tryNext(delayMs: number): void {
    this.#nextTimer = setTimeout(() => {
      try {
        this.#next = this.#dial();
      } catch {
        this.#tryNextLater(); // the file that it lacks may be there then
      }
    }, delayMs);
  }

  /** What was tried did not come to anything. An injector that wants the sidecar to move asks again, a silent one does not. */
  #tryNextLater(): void {
    this.#next?.drop();
    this.#next = undefined;
    if (this.#current?.isQuiet === true) this.#tryNext(this.#backoff.next());
    else this.#search = undefined;
  }

  #endSearch(): void {
    clearTimeout(this.#nextTimer);
    this.#next?.drop();
    this.#next = undefined;
    this.#search = undefined;
  }

  /** The injector's first table on the other connection comes next, or the present connection has ended. */
  #moveTo(next: InjectorConnection): void {
    const reason = this.#search?.reason ?? '';
    this.#current?.drop();
    this.#current = next;
    this.#next = undefined;
    this.#endSearch();
    this.#newest = 0;
    this.#link.open(next.socket);
    this.#events.moved(reason);
  }

  /** See `ConnectionListener`. */
  line(connection: InjectorConnection, text: string): void {
    if (connection === this.#current) this.#receive(text);
    else if (connection === this.#next) this.#receiveFirst(connection, text);
  }

  #receive(line: string): void {
    this.#take(() => readInjectorFrame(JSON.parse(line)));
  }

  #take(read: () => InjectorFrame): void {
    try {
      const frame = read();
      this.#obey(frame);
      // An injector that turns this sidecar away must not be asked twenty times a second.
      if (frame.type !== 'snapshot' && frame.type !== 'delta') return;
      this.#backoff.reset();
      this.#connectMs.reset();
    } catch (error) {
      const refused = asError(error);
      this.#events.refused(refused);
      this.#link.refuse(this.#enforcement.revision, codeOf(error), refused.message);
    }
  }

  /** Of the other connection: with a good table on it, it takes over. */
  #receiveFirst(connection: InjectorConnection, line: string): void {
    let frame: InjectorFrame;
    try {
      frame = readInjectorFrame(JSON.parse(line));
      if (frame.type === 'refused') this.#events.turnedAway(frame.message);
      if (frame.type !== 'snapshot') return;
      this.#checkSubject(frame.table);
    } catch (error) {
      this.#events.refused(asError(error));
      return this.#tryNextLater();
    }
    this.#moveTo(connection);
    this.#take(() => frame);
  }

  #obey(frame: InjectorFrame): void {
    switch (frame.type) {
      case 'snapshot':
        this.#checkSubject(frame.table);
        this.#checkOrder(frame.table.revision);
        return this.#enforced(this.#enforcement.replace(frame.table));
      case 'delta':
        return this.#enforced(this.#enforcement.apply(frame.delta));
      case 'heartbeat':
        // A heartbeat for another revision means that a frame was lost: the table may not be current.
        if (frame.revision === this.#enforcement.revision) this.#enforcement.confirm(Date.now());
        return;
      case 'unknown-pod':
        return this.#events.unknownPod(frame.message);
      case 'identity':
        return this.#events.identified(frame.address, frame.pod);
      case 'refused':
        return this.#events.turnedAway(frame.message);
      case 'moved':
        return this.#look({ reason: frame.message, isForSilence: false }, jittered(0, MOVE_MS));
      default:
        return unreachable(frame);
    }
  }

  /** Another pod's table would admit and deny the wrong peers. */
  #checkSubject({ subject }: Table): void {
    if (subject.namespace === this.#pod.namespace && subject.name === this.#pod.name) return;
    throw new SluiceError(
      'TABLE_MALFORMED',
      `a table of ${subject.namespace}/${subject.name} came to ${this.#pod.namespace}/${this.#pod.name}`,
    );
  }

  /** What one injector says later is never older: an old frame would bring back what has been taken away. */
  #checkOrder(revision: number): void {
    if (revision < this.#newest)
      throw new SluiceError('TABLE_GAP', `revision ${revision} came after revision ${this.#newest}`);
  }

  #enforced(ended: number): void {
    this.#newest = this.#enforcement.revision;
    this.#enforcement.confirm(Date.now());
    // Later, in a microtask: the resets that the relay was asked for leave first, and do not wait for what follows.
    if (this.#unreported === undefined) queueMicrotask(() => this.#report());
    this.#unreported = (this.#unreported ?? 0) + ended;
  }

  #report(): void {
    const ended = this.#unreported ?? 0;
    this.#unreported = undefined;
    this.#events.enforced(ended);
  }
}

function codeOf(error: unknown): string {
  return error instanceof SluiceError ? error.code : 'TABLE_MALFORMED';
}
