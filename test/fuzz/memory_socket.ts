/** A socket without a network: what is to arrive does so within the call, and what is written is kept. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

export class MemorySocket extends Duplex {
  /** What was written so far. */
  written = '';

  override _read(): void {}

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.written += String(chunk);
    done();
  }

  setTimeout(): this {
    return this;
  }

  /** As what wants a socket: all that our programs use of one is there, the rest of its type is not. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** Bytes come from the other side, if it is still listened to; they wait while it is paused. */
  arrive(bytes: Buffer): void {
    if (this.destroyed) return;
    if (this.isPaused() || this.readableLength > 0) this.push(bytes);
    else this.emit('data', bytes);
  }
}
