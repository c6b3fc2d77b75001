/** A unix socket between one sidecar and its injector that notes when tables pass, and when they are acknowledged. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FrameHeads } from '../crowd/frame_heads.ts';
import { readHead, type Speech } from '../crowd/speech.ts';

/** Passes bytes on as they are. */
export class TappedWay {
  readonly #speech: Speech;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Tables that are not acknowledged yet: revision, and when it passed, ms; in order. */
  #pending: { readonly revision: number; readonly atMs: number }[] = [];
  #waits: number[] = [];
  #acknowledged = 0;

  /** @param path where the sidecar connects @param target where the injector listens */
  constructor(path: string, target: string, speech: Speech) {
    this.#speech = speech;
    this.#server = createServer((sidecar) => this.#join(sidecar, connect(target)));
    this.#server.listen(path);
  }

  /** The newest revision that the sidecar has acknowledged; 0: none. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How many tables wait to be acknowledged. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** From each table's passing until the sidecar acknowledged it or a later one, of those since the last call, ms, ascending. */
  takeWaits(): readonly number[] {
    const waits = this.#waits;
    this.#waits = [];
    return waits.sort((a, b) => a - b);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(sidecar: Socket, injector: Socket): void {
    this.#pending = [];
    const tables = new FrameHeads((head) => this.#table(head));
    const acks = new FrameHeads((head) => this.#ack(head));
    injector.on('data', (chunk: Buffer) => tables.push(chunk));
    sidecar.on('data', (chunk: Buffer) => acks.push(chunk));
    injector.pipe(sidecar);
    sidecar.pipe(injector);
    for (const [socket, other] of [
      [sidecar, injector],
      [injector, sidecar],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  #table(head: string): void {
    const { type, revision } = readHead(head);
    if (this.#speech.tables.has(type)) this.#pending.push({ revision, atMs: performance.now() });
  }

  #ack(head: string): void {
    const { type, revision } = readHead(head);
    if (type !== 'ack' || revision === 0) return;
    this.#acknowledged = revision;
    const nowMs = performance.now();
    while (this.#pending[0] !== undefined && this.#pending[0].revision <= revision) {
      this.#waits.push(nowMs - this.#pending[0].atMs);
      this.#pending.shift();
    }
  }
}
