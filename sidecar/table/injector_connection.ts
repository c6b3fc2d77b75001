/** One connection to the injector: the lines that come, and how long nothing has. It ends when the other end is gone. */
import type { Socket } from 'node:net';
import { SluiceError, unreachable } from '../../common/errors.ts';
import { LineReader, type LineSink } from '../../common/line_reader.ts';
import type { SidecarFrame, WireVersion } from '../../policy/index.ts';
import type { Asked, Transport } from './transport.ts';

/** Longest frame, bytes: a snapshot with 10,000 peers has some 400 kB, and 3 MB in schema 1. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Bounds of waiting, ms. */
export interface Patience {
  /** For the connection and its handshake. */
  readonly connectMs: number;
  /** For the next words of an injector that speaks every 2 s: after it another connection is tried. */
  readonly quietMs: number;
  /** For the first words, and for those of an injector that speaks less: the connection ends. */
  readonly goneMs: number;
}

/** Hears a connection. */
export interface ConnectionListener {
  /** It may be written to. */
  ready(connection: InjectorConnection): void;
  line(connection: InjectorConnection, text: string): void;
  /** A line is too long to be a frame. The connection ends. */
  overlong(connection: InjectorConnection, error: Error): void;
  /** Nothing has come for `quietMs`, though the injector speaks every 2 s: it hangs, or is out of reach. */
  quiet(connection: InjectorConnection): void;
  /** Something comes after all. */
  heard(connection: InjectorConnection): void;
  /** It has ended, and not by `drop`. */
  ended(connection: InjectorConnection, reason: string): void;
}

/** What is waited for. */
type Awaited = 'handshake' | 'first words' | 'words' | 'words, and another connection is tried';

/** Made by dialling. */
export class InjectorConnection implements LineSink {
  readonly #socket: Socket;
  readonly #hello: SidecarFrame;
  readonly #wire: () => WireVersion;
  readonly #hasReplicas: boolean;
  readonly #patience: Patience;
  readonly #listener: ConnectionListener;
  #awaited: Awaited = 'handshake';
  #timer: NodeJS.Timeout;
  /** How often something has come. */
  #chunks = 0;
  #isDropped = false;

  /** @throws as `Transport.dial` */
  constructor(transport: Transport, asked: Asked, patience: Patience, listener: ConnectionListener) {
    const { socket, ready, hello, wire, isOnly = false } = transport.dial(asked);
    this.#socket = socket;
    this.#hello = hello;
    this.#wire = wire ?? (() => 1);
    this.#hasReplicas = !isOnly;
    this.#patience = patience;
    this.#listener = listener;
    this.#timer = this.#timeout(patience.connectMs);
    let reason = 'the injector closed the connection';
    socket.once(ready, () => {
      this.#await('first words', patience.goneMs);
      listener.ready(this);
    });
    // A connection that breaks in mid-frame leaves a piece of a line: that is no frame.
    const lines = new LineReader(MAX_FRAME_BYTES, this);
    socket.on('data', (chunk: Buffer) => {
      if (socket.destroyed) return;
      this.#hear();
      if (lines.push(chunk)) return;
      const error = new SluiceError('TABLE_MALFORMED', `a frame longer than ${MAX_FRAME_BYTES} bytes`);
      listener.overlong(this, error);
      socket.destroy(error);
    });
    socket.on('error', (error) => {
      reason = transport.explain(error);
    });
    socket.on('close', () => {
      clearTimeout(this.#timer);
      if (!this.#isDropped) listener.ended(this, reason);
    });
  }

  /** What is written to; ready from the event `ready` on. */
  get socket(): Socket {
    return this.#socket;
  }

  /** What the injector knows; asked once the handshake is done. */
  get wire(): WireVersion {
    return this.#wire();
  }

  /** Whether another connection is tried after a silence: the injector speaks often, and is one of some. */
  get #isLeftWhenQuiet(): boolean {
    return this.#hasReplicas && this.wire >= 2;
  }

  /** Whether the handshake is done. */
  get isReady(): boolean {
    return this.#awaited !== 'handshake' && !this.#socket.destroyed;
  }

  /** Whether nothing has come for longer than it should have taken. */
  get isQuiet(): boolean {
    return this.#awaited === 'words, and another connection is tried';
  }

  /** Says whose table is wanted: the first frame. */
  greet(): void {
    this.send(this.#hello);
  }

  /** Sends a frame on this connection, while it is open. */
  send(frame: SidecarFrame): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(frame)}\n`);
  }

  /** Ends it; nothing is heard of it any more. */
  drop(): void {
    this.#isDropped = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  /** See `LineSink`. Lines that come after it was cut do not count. */
  line(text: string): void {
    if (!this.#socket.destroyed) this.#listener.line(this, text);
  }

  #hear(): void {
    this.#chunks += 1;
    if (this.#awaited === 'words') return void this.#timer.refresh();
    const { isQuiet } = this;
    this.#await('words', this.#isLeftWhenQuiet ? this.#patience.quietMs : this.#patience.goneMs);
    if (isQuiet) this.#listener.heard(this);
  }

  #await(what: Awaited, boundMs: number): void {
    this.#awaited = what;
    clearTimeout(this.#timer);
    this.#timer = this.#timeout(boundMs);
  }

  #timeout(boundMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#late(), boundMs);
  }

  /** What has come while this process had no turn is not read yet: that is first. */
  #late(): void {
    const [chunks, awaited] = [this.#chunks, this.#awaited];
    setImmediate(() => {
      if (this.#chunks === chunks && this.#awaited === awaited && !this.#socket.destroyed) this.#giveUp();
    });
  }

  #giveUp(): void {
    const { connectMs, quietMs, goneMs } = this.#patience;
    switch (this.#awaited) {
      case 'handshake':
        return void this.#socket.destroy(new Error(`no connection within ${connectMs} ms`));
      case 'words':
        if (!this.#isLeftWhenQuiet) break;
        this.#await('words, and another connection is tried', goneMs - quietMs);
        return this.#listener.quiet(this);
      case 'first words':
      case 'words, and another connection is tried':
        break;
      default:
        return unreachable(this.#awaited);
    }
    this.#socket.destroy(new Error(`no heartbeat for ${goneMs} ms`));
  }
}
