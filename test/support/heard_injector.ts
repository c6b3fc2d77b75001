/**
 * Stands between sidecars and an injector, hears whom sidecars ask about and which flows they have counted, and may leave their questions
 * without an answer.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { LineReader } from '../../common/line_reader.ts';
import { integer, object, text } from '../../common/shape.ts';
import { type FlowWindow, flowWindow } from '../../flows/index.ts';
import { FLOWS_LINE, readSidecarFrame } from '../../policy/index.ts';

const MAX_LINE_BYTES = 64 * 1024;

/** A line of flows. */
const flowsFrame = object({ type: text(), sum: integer(0, Number.MAX_SAFE_INTEGER), window: flowWindow });

/** Serves sidecars on a unix socket. */
export class HeardInjector {
  readonly #server: Server;
  readonly #sidecars = new Set<Socket>();
  /** Addresses that were asked about, by pod. */
  readonly asked = new Map<string, string[]>();
  /** Windows of counted flows that were sent, by pod. */
  readonly windows = new Map<string, FlowWindow[]>();
  /** Questions stay without an answer while this is set. */
  isSilent = false;

  /** @param upstream path of the injector's socket */
  constructor(path: string, upstream: string) {
    this.#server = createServer((sidecar) => {
      this.#sidecars.add(sidecar);
      this.#join(sidecar, connect(upstream));
    });
    this.#server.listen(path);
  }

  /** Ends all connections; sidecars come back. */
  disconnect(): void {
    for (const sidecar of this.#sidecars) sidecar.destroy();
  }

  close(): void {
    this.#server.close();
    this.disconnect();
  }

  #join(sidecar: Socket, injector: Socket): void {
    let pod = '';
    const reader = new LineReader(MAX_LINE_BYTES, {
      line: (line) => {
        if (line.startsWith(FLOWS_LINE)) {
          const { window } = flowsFrame.readJson(line, 'flows', (problem) => new Error(problem));
          this.windows.set(pod, [...(this.windows.get(pod) ?? []), window]);
          return;
        }
        const frame = readSidecarFrame(JSON.parse(line));
        if (frame.type === 'hello') pod = `${frame.namespace}/${frame.pod}`;
        if (frame.type === 'nack') throw new Error(`the sidecar of ${pod} refuses a frame: ${frame.message}`);
        if (frame.type === 'meet') {
          this.asked.set(pod, [...(this.asked.get(pod) ?? []), ...frame.addresses]);
          if (this.isSilent) return;
        }
        if (injector.writable) injector.write(`${line}\n`);
      },
    });
    sidecar.on('data', (chunk: Buffer) => reader.push(chunk));
    injector.pipe(sidecar);
    for (const socket of [sidecar, injector]) socket.on('error', () => socket.destroy());
    injector.on('close', () => sidecar.destroy());
    sidecar.on('close', () => {
      injector.destroy();
      this.#sidecars.delete(sidecar);
    });
  }
}
