/** Simulated sidecars: they say whose table they want, read, acknowledge, and come back as the real ones do. */
import type { Socket } from 'node:net';
import { Backoff, type BackoffBounds } from '../../common/backoff.ts';
import { LineReader } from '../../common/line_reader.ts';
import { dial, type SidecarPod, type Way } from './way.ts';

/** Reconnect delays, as the real one has them. */
const RECONNECT: BackoffBounds = { firstMs: 400, lastMs: 10_000, firstFromZero: true };

const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** What comes from the injector, not parsed: two thousand tables would cost the machine more than the injector does. */
export interface SidecarEvents {
  snapshot(bytes: number): void;
  /** @param changes numbers of the changes that brought the pods in it */
  change(bytes: number, changes: readonly number[]): void;
}

/** One of them. */
export class SimulatedSidecar {
  readonly #way: Way;
  readonly #pod: SidecarPod;
  readonly #events: SidecarEvents;
  readonly #reads: boolean;
  #socket: Socket | undefined;
  readonly #backoff = new Backoff(RECONNECT);
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param reads false: it asks for its table and never reads its socket, as a process that hangs */
  constructor(way: Way, pod: SidecarPod, events: SidecarEvents, reads = true) {
    this.#way = way;
    this.#pod = pod;
    this.#events = events;
    this.#reads = reads;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const { socket, ready, hello } = dial(this.#way, this.#pod);
    this.#socket = socket;
    const lines = new LineReader(MAX_LINE_BYTES, { line: (text) => this.#onLine(socket, text) });
    socket.on(ready, () => send(socket, hello));
    if (this.#reads) socket.on('data', (chunk: Buffer) => lines.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#closed) return;
      this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
    });
  }

  #onLine(socket: Socket, line: string): void {
    const bytes = line.length + 1;
    if (line.startsWith('{"type":"change"')) {
      const changes = [...line.matchAll(/-c(\d+)"/g)].map(([, number]) => Number(number));
      this.#events.change(bytes, changes);
    } else if (line.startsWith('{"type":"snapshot"')) {
      this.#backoff.reset();
      this.#events.snapshot(bytes);
    } else return;
    send(socket, { type: 'ack', revision: Number(/"revision":(\d+)/.exec(line)?.[1]) });
  }
}

function send(socket: Socket, frame: object): void {
  if (socket.writable) socket.write(`${JSON.stringify(frame)}\n`);
}
