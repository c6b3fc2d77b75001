/** Frames over a stream socket, one line of JSON each, both ways: what all transports of the table server share. */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { LineReader } from '../common/line_reader.ts';
import type { InjectorFrame, SidecarFrame } from '../policy/frames.ts';
import { readSidecarFrame } from '../policy/index.ts';
import { frameLine } from './frame_line.ts';
import type { SessionLink } from './table_session.ts';

/** A sidecar's frames are short: the longest parts are a message and a token. */
const MAX_LINE_BYTES = 64 * 1024;

/** How long a last message may take to leave before the connection is dropped, ms. */
const FLUSH_MS = 1_000;

/** Who listens to a connection. */
export interface FrameReader {
  receive(frame: SidecarFrame): void;
  /** What came is no frame; `message` says why. The reader ends the connection. */
  fail(message: string): void;
  /** The connection has ended, from whichever side. */
  closed(): void;
}

/** One connection. Bytes are taken in from the first `read` on. */
export class FrameConnection implements SessionLink {
  readonly #socket: Socket;
  #reader: FrameReader | undefined;

  constructor(socket: Socket, log: Logger) {
    this.#socket = socket;
    socket.on('error', (err) => log.debug({ err }, 'sidecar connection failed'));
    socket.on('close', () => this.#reader?.closed());
  }

  /** Bytes that the peer has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** From here on `reader` gets what comes; the one before gets nothing more. */
  read(reader: FrameReader): void {
    const first = this.#reader === undefined;
    this.#reader = reader;
    if (!first) return;
    const lines = new LineReader(MAX_LINE_BYTES, (line) => {
      const frame = parseFrame(line);
      if (typeof frame === 'string') this.#reader?.fail(frame);
      else this.#reader?.receive(frame);
    });
    this.#socket.on('data', (chunk: Buffer) => {
      if (!lines.push(chunk)) this.#reader?.fail(`a frame longer than ${MAX_LINE_BYTES} bytes`);
    });
  }

  send(frame: InjectorFrame): void {
    // A Buffer, so that writableLength counts bytes.
    if (this.#socket.writable) this.#socket.write(Buffer.from(frameLine(frame)));
  }

  close(how: 'flush' | 'drop'): void {
    const socket = this.#socket;
    if (how === 'drop') {
      socket.destroy();
      return;
    }
    // What still comes is read and dropped: unread bytes would turn the close into a reset that overtakes the message.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
    setTimeout(() => socket.destroy(), FLUSH_MS).unref();
  }
}

/** The frame, or why the line is none. */
function parseFrame(line: string): SidecarFrame | string {
  try {
    return readSidecarFrame(JSON.parse(line));
  } catch (error) {
    return `not a frame: ${error instanceof Error ? error.message : String(error)}`;
  }
}
