/** Stands between sidecars and an injector, hears whom sidecars ask about, and may leave their questions without an answer. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { LineReader } from '../../common/line_reader.ts';
import { readSidecarFrame } from '../../policy/index.ts';

const MAX_LINE_BYTES = 64 * 1024;

/** Serves sidecars on a unix socket. */
export class HeardInjector {
  readonly #server: Server;
  readonly #sidecars = new Set<Socket>();
  /** Addresses that were asked about, by pod. */
  readonly asked = new Map<string, string[]>();
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
      line: (text) => {
        const frame = readSidecarFrame(JSON.parse(text));
        if (frame.type === 'hello') pod = `${frame.namespace}/${frame.pod}`;
        if (frame.type === 'nack') throw new Error(`the sidecar of ${pod} refuses a frame: ${frame.message}`);
        if (frame.type === 'meet') {
          this.asked.set(pod, [...(this.asked.get(pod) ?? []), ...frame.addresses]);
          if (this.isSilent) return;
        }
        if (injector.writable) injector.write(`${text}\n`);
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
