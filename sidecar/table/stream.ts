/**
 * The connection to the injector: asks for this pod's table, and puts snapshots and deltas in force. Fails static: when a
 * connection or a frame is bad, the last good table stays in force and the stream tries again.
 */
import type { Socket } from 'node:net';
import { Backoff, type BackoffBounds } from '../../common/backoff.ts';
import { asError, messageOf } from '../../common/errno.ts';
import { SluiceError, unreachable } from '../../common/errors.ts';
import { LineReader, type LineSink } from '../../common/line_reader.ts';
import {
  type InjectorFrame,
  type PeerIdentity,
  readInjectorFrame,
  type Table,
  type TableDelta,
} from '../../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import { InjectorLink } from './injector_link.ts';
import type { Dialled, Transport } from './transport.ts';

/** Reconnect delays: short, as an injector that restarts is back at once; no more than seconds, as no table comes meanwhile. */
const RECONNECT: BackoffBounds = { firstMs: 100, lastMs: 10_000 };

/** The injector says something every 2 s; five missed heartbeats mean that it is gone. Bounds connecting too. */
const IDLE_TIMEOUT_MS = 10_000;

/** Longest frame, bytes: the snapshot of a cluster of 10,000 pods has some 4 MB. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** What the stream reports. In the sidecar, `TableFollower` of `sidecar/assembly/` hears it. */
export interface StreamEvents {
  connected(): void;
  /** @param reason why the connection ended or could not be made */
  disconnected(reason: string): void;
  /**
   * A table is in force at the proxy, and `ended` live flows were ended for it. Of several tables that came at once only the last
   * is reported, with what all of them ended.
   * @param deltas which led to it from the table that was reported before; absent: one of the tables came whole
   */
  enforced(ended: number, deltas?: readonly TableDelta[]): void;
  /** A frame was refused; the table in force stays. */
  refused(error: Error): void;
  /** The injector does not know this pod yet. */
  unknownPod(message: string): void;
  /** Answers `identify`. */
  identified(address: string, pod: PeerIdentity | null): void;
  /** The injector does not serve this sidecar; it is asked again. */
  turnedAway(message: string): void;
}

/** Follows the injector until `close`. */
export class TableStream implements LineSink {
  readonly #transport: Transport;
  readonly #pod: { readonly namespace: string; readonly name: string };
  readonly #enforcement: Enforcement;
  readonly #events: StreamEvents;
  readonly #link: InjectorLink;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #backoff = new Backoff(RECONNECT);
  #closed = false;
  /** The newest revision on this connection. The next one may be to another injector, which counts from another number. */
  #newest = 0;
  /** The tables that have not been reported: how many flows they ended, and, unless one came whole, by which deltas they came. */
  #unreported: { ended: number; deltas: TableDelta[] | undefined } | undefined;

  /** @param link opened for each connection; it is for those who have something to say to the injector */
  constructor(
    transport: Transport,
    pod: { namespace: string; name: string },
    enforcement: Enforcement,
    events: StreamEvents,
    link = new InjectorLink(),
  ) {
    this.#transport = transport;
    this.#pod = pod;
    this.#enforcement = enforcement;
    this.#events = events;
    this.#link = link;
  }

  /** Connects, and reconnects whenever the connection ends. */
  start(): void {
    let dialled: Dialled;
    try {
      dialled = this.#transport.dial();
    } catch (error) {
      return this.#again(messageOf(error));
    }
    const { socket, ready, hello } = dialled;
    this.#socket = socket;
    this.#link.close();
    this.#newest = 0;
    let reason = 'the injector closed the connection';
    socket.setTimeout(IDLE_TIMEOUT_MS, () =>
      socket.destroy(new Error(`no heartbeat for ${IDLE_TIMEOUT_MS} ms`)),
    );
    socket.once(ready, () => {
      this.#link.open(socket, hello);
      this.#events.connected();
    });
    // A connection that breaks in mid-frame leaves a piece of a line: that is no frame.
    const lines = new LineReader(MAX_FRAME_BYTES, this);
    socket.on('data', (chunk: Buffer) => {
      if (socket.destroyed || lines.push(chunk)) return;
      const error = new SluiceError('TABLE_MALFORMED', `a frame longer than ${MAX_FRAME_BYTES} bytes`);
      this.#events.refused(error);
      socket.destroy(error);
    });
    socket.on('error', (error) => {
      reason = this.#transport.explain(error);
    });
    socket.on('close', () => {
      if (!this.#closed) this.#again(reason);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #again(reason: string): void {
    this.#events.disconnected(reason);
    this.#timer = setTimeout(() => this.start(), this.#backoff.next());
  }

  /** See `LineSink`. Lines of the present connection that come after it was cut do not count. */
  line(text: string): void {
    if (this.#socket?.destroyed === false) this.#receive(text);
  }

  #receive(line: string): void {
    try {
      const frame = readInjectorFrame(JSON.parse(line));
      this.#obey(frame);
      // An injector that turns this sidecar away must not be asked twenty times a second.
      if (frame.type === 'snapshot' || frame.type === 'delta') this.#backoff.reset();
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : 'TABLE_MALFORMED';
      const refused = asError(error);
      this.#events.refused(refused);
      this.#link.refuse(this.#enforcement.revision, code, refused.message);
    }
  }

  #obey(frame: InjectorFrame): void {
    switch (frame.type) {
      case 'snapshot':
        this.#checkSubject(frame.table);
        this.#checkOrder(frame.table.revision);
        return this.#enforced(this.#enforcement.replace(frame.table));
      case 'delta':
        return this.#enforced(this.#enforcement.apply(frame.delta), frame.delta);
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

  /** @param delta which led to the table; absent: it came whole */
  #enforced(ended: number, delta?: TableDelta): void {
    this.#newest = this.#enforcement.revision;
    this.#enforcement.confirm(Date.now());
    // Later, in a microtask: the resets that the relay was asked for leave first, and do not wait for what follows.
    if (this.#unreported === undefined) queueMicrotask(() => this.#report());
    this.#unreported ??= { ended: 0, deltas: [] };
    this.#unreported.ended += ended;
    if (delta === undefined) this.#unreported.deltas = undefined;
    else this.#unreported.deltas?.push(delta);
  }

  #report(): void {
    const { ended, deltas } = this.#unreported ?? { ended: 0, deltas: [] };
    this.#unreported = undefined;
    this.#events.enforced(ended, deltas);
  }
}
