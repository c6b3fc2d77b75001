/**
 * The connection to the injector: asks for this pod's table, puts snapshots and deltas in force, says which revision
 * is enforced. Whatever happens here, the last good table stays in force; the stream just tries again.
 */
import net from 'node:net';
import { createInterface } from 'node:readline';
import {
  type InjectorFrame,
  readInjectorFrame,
  type SidecarFrame,
  SluiceError,
  TABLE_SCHEMA,
  type Table,
} from '../policy/index.ts';
import type { Enforcement } from './enforcement.ts';

/** Reconnect delays double from the first to the last, each with up to the same again as jitter. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 5_000;

/** The injector says something every 2 s; five missed heartbeats mean that it is gone. */
const IDLE_TIMEOUT_MS = 10_000;

/** What the stream tells. */
export interface StreamEvents {
  connected(): void;
  /** @param reason why the connection ended or could not be made */
  disconnected(reason: string): void;
  /** A table is in force at the proxy; `ended` live flows were cut for it. `acknowledge` is to follow. */
  enforced(ended: number): void;
  /** A frame was refused; the table in force stays. */
  refused(error: Error): void;
  /** The injector does not know this pod yet. */
  unknownPod(message: string): void;
}

/** Follows the injector until `close`. */
export class TableStream {
  readonly #path: string;
  readonly #pod: { readonly namespace: string; readonly name: string };
  readonly #enforcement: Enforcement;
  readonly #events: StreamEvents;
  #socket: net.Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;

  constructor(
    path: string,
    pod: { namespace: string; name: string },
    enforcement: Enforcement,
    events: StreamEvents,
  ) {
    this.#path = path;
    this.#pod = pod;
    this.#enforcement = enforcement;
    this.#events = events;
  }

  /** Connects, and reconnects whenever the connection ends. */
  start(): void {
    const socket = net.connect(this.#path);
    this.#socket = socket;
    let reason = 'the injector closed the connection';
    socket.setTimeout(IDLE_TIMEOUT_MS, () =>
      socket.destroy(new Error(`no heartbeat for ${IDLE_TIMEOUT_MS} ms`)),
    );
    socket.on('connect', () => {
      this.#events.connected();
      this.#send({
        type: 'hello',
        schema: TABLE_SCHEMA,
        namespace: this.#pod.namespace,
        pod: this.#pod.name,
      });
    });
    const lines = createInterface({ input: socket });
    // A connection that breaks in mid-frame leaves a piece of a line: that is no frame.
    lines.on('line', (line) => {
      if (!socket.destroyed) this.#receive(line);
    });
    lines.on('error', () => {}); // the socket's own handler has it
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', () => {
      if (this.#closed) return;
      this.#events.disconnected(reason);
      this.#timer = setTimeout(() => this.start(), this.#retryMs * (1 + Math.random()));
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #receive(line: string): void {
    if (this.#closed) return;
    try {
      const frame = readInjectorFrame(JSON.parse(line));
      this.#obey(frame);
      // An injector that turns this sidecar away must not be asked twenty times a second.
      if (frame.type !== 'unknown-pod') this.#retryMs = FIRST_RETRY_MS;
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : 'TABLE_MALFORMED';
      const refused = error instanceof Error ? error : new Error(String(error));
      this.#events.refused(refused);
      this.#send({ type: 'nack', revision: this.#enforcement.revision, code, message: refused.message });
    }
  }

  #obey(frame: InjectorFrame): void {
    switch (frame.type) {
      case 'snapshot':
        this.#checkSubject(frame.table);
        return this.#enforced(this.#enforcement.replace(frame.table));
      case 'delta':
        return this.#enforced(this.#enforcement.apply(frame.delta));
      case 'heartbeat':
        // A heartbeat for another revision means that a frame was lost: the table may not be current.
        if (frame.revision === this.#enforcement.revision) this.#enforcement.confirm(Date.now());
        return;
      case 'unknown-pod':
        return this.#events.unknownPod(frame.message);
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

  #enforced(ended: number): void {
    this.#enforcement.confirm(Date.now());
    this.#events.enforced(ended);
  }

  /** Tells the injector that all of the sidecar enforces this revision. */
  acknowledge(revision: number): void {
    this.#send({ type: 'ack', revision });
  }

  #send(frame: SidecarFrame): void {
    if (this.#socket?.writable) this.#socket.write(`${JSON.stringify(frame)}\n`);
  }
}
