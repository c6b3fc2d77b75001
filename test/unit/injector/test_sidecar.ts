/** A sidecar's side of a connection, as small as it can be: it applies what comes and acks it. */
import type { Socket } from 'node:net';
import { unpack } from '../../../common/pack.ts';
import { applyChange, readInjectorFrame, tableOf } from '../../../policy/index.ts';
import type { InjectorFrame, SidecarFrame } from '../../../policy/table/frames.ts';
import type { Table } from '../../../policy/table/table.ts';
import type { TestDoor } from './test_door.ts';
import { waitFor } from './wait_for.ts';

/** Hundreds come at once in some tests, and their handshakes take turns. */
const FIRST_TABLE_MS = 15_000;

/** Connects at once; `hello` says whose table it wants. */
export class TestSidecar {
  readonly frames: InjectorFrame[] = [];
  readonly #door: TestDoor;
  readonly #socket: Socket;
  #table: Table | undefined;
  #text = '';
  #closed = false;
  /** Whether tables are acked as they come. */
  autoAck = true;

  constructor(door: TestDoor) {
    this.#door = door;
    this.#socket = door.connect();
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (chunk: string) => this.#onData(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#closed = true;
    });
  }

  /** Connects and waits for the first table. */
  static async open(door: TestDoor, pod: string): Promise<TestSidecar> {
    const sidecar = new TestSidecar(door);
    sidecar.hello(pod);
    await waitFor(() => sidecar.table, FIRST_TABLE_MS);
    return sidecar;
  }

  get table(): Table | undefined {
    return this.#table;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Types of the frames so far, heartbeats left out. */
  get types(): string[] {
    return this.frames.map((frame) => frame.type).filter((type) => type !== 'heartbeat');
  }

  hello(pod: string): void {
    this.send(this.#door.hello(pod));
  }

  send(frame: SidecarFrame): void {
    this.sendText(`${JSON.stringify(frame)}\n`);
  }

  sendText(text: string): void {
    this.#socket.write(text);
  }

  /** Stops reading, as a hung process does. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #onData(chunk: string): void {
    const lines = (this.#text + chunk).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) this.#onFrame(readInjectorFrame(JSON.parse(line), unpack));
  }

  #onFrame(frame: InjectorFrame): void {
    this.frames.push(frame);
    if (frame.type === 'snapshot') this.#table = tableOf(frame.table);
    else if (frame.type === 'change' && this.#table)
      this.#table = applyChange(this.#table, frame.change).table;
    else return;
    if (this.autoAck && this.#table) this.send({ type: 'ack', revision: this.#table.revision });
  }
}
