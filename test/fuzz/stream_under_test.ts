/** A sidecar's stream and table over a connection in memory, line by line. */
import type { Table } from '../../policy/index.ts';
import { Enforcement } from '../../sidecar/table/enforcement.ts';
import { LiveTable } from '../../sidecar/table/live_table.ts';
import { TableStream } from '../../sidecar/table/stream.ts';
import { MemorySocket } from './memory_socket.ts';

/** One connection that has been made. */
export class StreamUnderTest {
  readonly #socket = new MemorySocket();
  readonly #enforcement = new Enforcement(new LiveTable());
  readonly #stream: TableStream;
  #refusals = 0;

  constructor(pod: { readonly namespace: string; readonly name: string }) {
    const hello = { type: 'hello', schema: 2, namespace: pod.namespace, pod: pod.name } as const;
    const socket = this.#socket.asSocket;
    this.#stream = new TableStream(
      { dial: () => ({ socket, ready: 'connect', hello }), explain: (error) => error.message },
      pod,
      this.#enforcement,
      {
        connected: () => {},
        moved: () => {},
        disconnected: () => {},
        enforced: () => {},
        refused: () => {
          this.#refusals += 1;
        },
        unknownPod: () => {},
        identified: () => {},
        turnedAway: () => {},
        olderInjector: () => {},
      },
    );
    this.#stream.start();
    this.#socket.emit('connect');
  }

  get table(): Table | undefined {
    return this.#enforcement.table;
  }

  /** Takes one line in. @returns whether it was refused */
  feed(line: string): boolean {
    const before = this.#refusals;
    this.#socket.arrive(Buffer.from(`${line}\n`));
    return this.#refusals > before;
  }

  close(): void {
    this.#stream.close();
  }
}
