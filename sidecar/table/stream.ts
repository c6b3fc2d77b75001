/**
 * The connection to the injector: asks for this pod's table, and puts snapshots and changes in force. Fails static: when a
 * connection or a frame is bad, the last good table stays in force and the stream tries again. An injector that is older than this
 * sidecar is asked for tables in its form.
 *
 * An injector that wants the sidecar to move, or that has been silent for too long, is left for another replica: that is a second
 * connection beside the first. The first one serves until a table comes on the second.
 */
import { Backoff, type BackoffBounds, jittered } from '../../common/backoff.ts';
import { digestOf } from '../../common/digest.ts';
import { asError, messageOf } from '../../common/errno.ts';
import { SluiceError, unreachable } from '../../common/errors.ts';
import { inSlices } from '../../common/in_slices.ts';
import type { PathUse } from '../../common/path.ts';
import type { Steps } from '../../common/steps.ts';
import {
  PartDigests,
  type PeerIdentity,
  SCHEMA_1,
  TABLE_SCHEMA,
  type Table,
  type TableChange,
} from '../../policy/index.ts';
import { ConnectionTables, type Word } from './connection_tables.ts';
import type { Enforcement } from './enforcement.ts';
import { type ConnectionListener, InjectorConnection, type Patience } from './injector_connection.ts';
import { InjectorLink, meetFrames } from './injector_link.ts';
import type { Transport } from './transport.ts';
import { WholeGroups } from './whole_groups.ts';

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

/** An injector that speaks every 2 s hangs, or is out of reach. */
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
   * @param changes which led to it from the table that was reported before; absent: one of the tables came whole, or in schema 1
   */
  enforced(ended: number, changes?: readonly TableChange[]): void;
  /** A frame was refused; the table in force stays. */
  refused(error: Error): void;
  /** The injector does not know this pod yet. */
  unknownPod(message: string): void;
  /** Answers `identify`. `tag`: of the pod, where the injector says it. An older injector names pods without being asked, too. */
  identified(address: string, pod: PeerIdentity | null, tag: string | undefined): void;
  /** The injector does not serve this sidecar; it is asked again. */
  turnedAway(message: string): void;
  /** The injector is older than this sidecar: the connection ends, and the next one asks for the form that it serves. */
  olderInjector(message: string): void;
}

/** How groups are taken that have only the members that the sidecar asks about. */
export interface PartialGroups {
  /** Whether a connection that is made now asks for such groups. */
  areTaken(): boolean;
  /** Addresses that each connection is asked about first, so that another injector knows what the one before knew. */
  acquaintances(): readonly string[];
  /** All is known of these addresses, by the table in force. Called before anything that came later is looked at. */
  met(addresses: readonly string[]): void;
}

const WHOLE_GROUPS: PartialGroups = { areTaken: () => false, acquaintances: () => [], met: () => undefined };

/** What need not be said. */
const USUAL_PATH_USE: PathUse = 'proxy';

/** What a stream need not be given. */
export interface StreamOptions {
  /** Opened for each connection; it is for those who have something to say to the injector. */
  readonly link?: InjectorLink;
  /** Absent: all groups have to come whole. */
  readonly partialGroups?: PartialGroups;
  /** Which way inbound TCP takes to the app, asked for each connection; absent: through the sidecar. */
  readonly path?: () => PathUse;
  /** Default 3 s; tests have less. */
  readonly quietMs?: number;
  /** Default 10 s; tests have less. */
  readonly goneMs?: number;
}

/** Why another replica is looked for. */
interface Search {
  readonly reason: string;
  /** It ends when the present connection speaks again. */
  readonly isForSilence: boolean;
}

/** A connection, and what comes on it. */
interface Conversation {
  readonly connection: InjectorConnection;
  readonly tables: ConnectionTables;
  /** It takes partial groups. */
  readonly partial: boolean;
}

/** Follows the injector until `close`. */
export class TableStream implements ConnectionListener {
  readonly #transport: Transport;
  readonly #pod: { readonly namespace: string; readonly name: string };
  readonly #enforcement: Enforcement;
  readonly #events: StreamEvents;
  readonly #link: InjectorLink;
  readonly #times: Pick<Patience, 'quietMs' | 'goneMs'>;
  readonly #partialGroups: PartialGroups;
  readonly #path: () => PathUse;
  readonly #wholeGroups = new WholeGroups();
  readonly #digests = new PartDigests(digestOf);
  /** Works out digests of the table in force. */
  #preparing: Steps<void> | undefined;
  #current: Conversation | undefined;
  /** Of the next try to connect. */
  #timer: NodeJS.Timeout | undefined;
  /** Set while another replica is looked for. */
  #search: Search | undefined;
  /** To that replica. */
  #next: Conversation | undefined;
  /** Of the next try to reach it. */
  #nextTimer: NodeJS.Timeout | undefined;
  readonly #backoff = new Backoff(RECONNECT);
  readonly #connectMs = new Backoff(CONNECT);
  #closed = false;
  /** The tables that have not been reported: how many flows they ended, and, unless one came whole, by which changes they came. */
  #unreported: { ended: number; changes: TableChange[] | undefined } | undefined;

  constructor(
    transport: Transport,
    pod: { namespace: string; name: string },
    enforcement: Enforcement,
    events: StreamEvents,
    options: StreamOptions = {},
  ) {
    const { quietMs = QUIET_MS, goneMs = GONE_MS } = options;
    this.#transport = transport;
    this.#pod = pod;
    this.#enforcement = enforcement;
    this.#events = events;
    this.#link = options.link ?? new InjectorLink();
    this.#partialGroups = options.partialGroups ?? WHOLE_GROUPS;
    this.#path = options.path ?? (() => USUAL_PATH_USE);
    this.#times = { quietMs, goneMs };
  }

  /** Connects, and reconnects whenever the connection ends. */
  start(): void {
    this.#connect(TABLE_SCHEMA);
  }

  #connect(schema: number): void {
    try {
      this.#current = this.#dial(schema);
    } catch (error) {
      return this.#again(messageOf(error));
    }
    this.#link.close();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#preparing?.return();
    this.#endSearch();
    this.#current?.connection.drop();
  }

  #dial(schema: number): Conversation {
    const enforcement = this.#enforcement;
    const isToday = schema === TABLE_SCHEMA;
    const partial = isToday && this.#partialGroups.areTaken() && !this.#wholeGroups.areWanted;
    const holds = isToday && enforcement.table !== undefined;
    const asked = { schema, holds, partial, path: isToday ? this.#path() : USUAL_PATH_USE };
    if (holds) this.#prepareDigests(enforcement.table);
    const patience = { ...this.#times, connectMs: this.#connectMs.next() };
    const connection = new InjectorConnection(this.#transport, asked, patience, this);
    const tables = new ConnectionTables(schema, {
      pod: this.#pod,
      enforcement,
      digests: this.#digests,
      want: (parts) => connection.send({ type: 'want', parts }),
      wantWhole: (message) =>
        connection.send({ type: 'nack', revision: enforcement.revision, code: 'TABLE_GAP', message }),
      identified: (address, pod, tag) => this.#events.identified(address, pod, tag),
    });
    return { connection, tables, partial };
  }

  /** What an outline will be compared with is worked out while the connection is made, so that it takes no long turn when it comes. */
  #prepareDigests(table: Table | undefined): void {
    this.#preparing?.return();
    if (table === undefined) return;
    const steps = this.#digests.prepare(table);
    this.#preparing = steps;
    setImmediate(() => void inSlices(steps));
  }

  #again(reason: string): void {
    this.#events.disconnected(reason);
    this.#timer = setTimeout(() => this.start(), this.#backoff.next());
  }

  /** See `ConnectionListener`. */
  ready(connection: InjectorConnection): void {
    connection.greet();
    const current = connection === this.#current?.connection;
    const partial = (current ? this.#current : this.#next)?.partial ?? false;
    if (partial) for (const frame of meetFrames(this.#partialGroups.acquaintances())) connection.send(frame);
    if (!current) {
      if (partial) this.#link.tries(connection.socket);
      return;
    }
    this.#link.open(connection.socket, partial, connection.wire);
    this.#events.connected();
  }

  /** See `ConnectionListener`. */
  overlong(_connection: InjectorConnection, error: Error): void {
    this.#events.refused(error);
  }

  /** See `ConnectionListener`. One that is asked for a table and falls silent is no better than the present one. */
  quiet(connection: InjectorConnection): void {
    if (connection === this.#next?.connection) return this.#tryNextLater();
    this.#look({ reason: `no word for ${this.#times.quietMs} ms`, isForSilence: true }, 0);
  }

  /** See `ConnectionListener`. */
  heard(connection: InjectorConnection): void {
    if (connection === this.#current?.connection && this.#search?.isForSilence === true) this.#endSearch();
  }

  /** See `ConnectionListener`. */
  ended(connection: InjectorConnection, reason: string): void {
    if (this.#closed) return;
    if (connection === this.#next?.connection) return this.#tryNextLater();
    const next = this.#next;
    if (next?.connection.isReady === true) return this.#moveTo(next);
    this.#endSearch();
    this.#again(reason);
  }

  /** Has another replica looked for, if that is not under way. */
  #look(search: Search, delayMs: number): void {
    const before = this.#search;
    if (before === undefined || !search.isForSilence) this.#search = search;
    if (before === undefined) this.#tryNext(delayMs);
  }

  #tryNext(delayMs: number, schema = TABLE_SCHEMA): void {
    this.#nextTimer = setTimeout(() => {
      try {
        this.#next = this.#dial(schema);
      } catch {
        this.#tryNextLater(); // the file that it lacks may be there then
      }
    }, delayMs);
  }

  /** What was tried did not come to anything. An injector that wants the sidecar to move asks again, a silent one does not. */
  #tryNextLater(): void {
    this.#next?.connection.drop();
    this.#next = undefined;
    if (this.#current?.connection.isQuiet === true) this.#tryNext(this.#backoff.next());
    else this.#search = undefined;
  }

  #endSearch(): void {
    clearTimeout(this.#nextTimer);
    this.#next?.connection.drop();
    this.#next = undefined;
    this.#search = undefined;
  }

  /** The injector's first table on the other connection comes next, or the present connection has ended. */
  #moveTo(next: Conversation): void {
    const reason = this.#search?.reason ?? '';
    this.#current?.connection.drop();
    this.#current = next;
    this.#next = undefined;
    this.#endSearch();
    this.#link.open(next.connection.socket, next.partial, next.connection.wire);
    this.#events.moved(reason);
  }

  /** See `ConnectionListener`. */
  line(connection: InjectorConnection, text: string): void {
    const [current, next] = [this.#current, this.#next];
    if (connection === current?.connection) this.#take(() => current.tables.read(text));
    else if (connection === next?.connection) this.#takeFirst(next, text);
  }

  #take(read: () => Word): void {
    try {
      this.#obey(read());
    } catch (error) {
      const refused = asError(error);
      this.#events.refused(refused);
      this.#link.refuse(this.#enforcement.revision, codeOf(error), refused.message);
    }
  }

  /** Of the other connection: with a good table on it, it takes over. Until then its answers to questions are none of ours. */
  #takeFirst(next: Conversation, line: string): void {
    let word: Word;
    try {
      word = next.tables.read(line);
    } catch (error) {
      this.#events.refused(asError(error));
      return this.#tryNextLater();
    }
    if (word.type === 'older') return this.#askNextForOlder(word.message);
    if (word.type === 'refused') return this.#events.turnedAway(word.message);
    if (word.type !== 'table' || !word.isWhole) return;
    this.#moveTo(next);
    this.#take(() => word);
  }

  #obey(word: Word): void {
    switch (word.type) {
      case 'table':
        return this.#enforced(this.#enforce(word), word.change);
      case 'incomplete':
        return;
      case 'met':
        return this.#partialGroups.met(word.addresses);
      case 'identity':
        return this.#events.identified(...word.identified);
      case 'heartbeat':
        // A heartbeat for another revision means that a frame was lost: the table may not be current.
        if (word.revision === this.#enforcement.revision) this.#enforcement.confirm(Date.now());
        return;
      case 'unknown-pod':
        return this.#events.unknownPod(word.message);
      case 'refused':
        return this.#events.turnedAway(word.message);
      case 'moved':
        return this.#look({ reason: word.message, isForSilence: false }, jittered(0, MOVE_MS));
      case 'older':
        return this.#askForOlder(word.message);
      default:
        return unreachable(word);
    }
  }

  /** @returns how many live flows were ended */
  #enforce(word: Extract<Word, { readonly type: 'table' }>): number {
    const { table: before } = this.#enforcement;
    const ended = word.enforce();
    const { table } = this.#enforcement;
    if (table !== undefined) this.#wholeGroups.took(before, table, this.#current?.partial === true);
    return ended;
  }

  /** At once, and in this connection's stead: later ones ask for today's schema again, since injectors are renewed. */
  #askForOlder(message: string): void {
    this.#events.olderInjector(message);
    this.#current?.connection.drop();
    this.#endSearch();
    this.#timer = setTimeout(() => this.#connect(SCHEMA_1), 0);
  }

  /** As `#askForOlder`, for the other connection. */
  #askNextForOlder(message: string): void {
    this.#events.olderInjector(message);
    this.#next?.connection.drop();
    this.#next = undefined;
    this.#tryNext(0, SCHEMA_1);
  }

  /** @param change which led to the table; absent: it came whole, or in schema 1 */
  #enforced(ended: number, change?: TableChange): void {
    this.#enforcement.confirm(Date.now());
    // Only now: an injector that turns this sidecar away must not be asked twenty times a second.
    this.#backoff.reset();
    this.#connectMs.reset();
    // Later, in a microtask: the resets that the relay was asked for leave first, and do not wait for what follows.
    if (this.#unreported === undefined) queueMicrotask(() => this.#report());
    this.#unreported ??= { ended: 0, changes: [] };
    this.#unreported.ended += ended;
    if (change === undefined) this.#unreported.changes = undefined;
    else this.#unreported.changes?.push(change);
  }

  #report(): void {
    const { ended, changes } = this.#unreported ?? { ended: 0, changes: [] };
    this.#unreported = undefined;
    this.#events.enforced(ended, changes);
  }
}

function codeOf(error: unknown): string {
  return error instanceof SluiceError ? error.code : 'TABLE_MALFORMED';
}
