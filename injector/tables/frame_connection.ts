/** Frames over a stream socket, one line of JSON each, both ways: what all transports of the table server share. */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { messageOf } from '../../common/errno.ts';
import { type RateLimits, TokenBucket } from '../../common/token_bucket.ts';
import type { SidecarFrame } from '../../policy/index.ts';
import { readSidecarFrame } from '../../policy/index.ts';
import type { FrameBytes } from './frames/index.ts';
import type { ReadingTurns } from './reading_turns.ts';
import type { SessionLink } from './session/index.ts';
import { type SidecarLineSink, SidecarLines } from './sidecar_lines.ts';

/** A sidecar's frames are short: the longest parts are a message and a token. */
const MAX_LINE_BYTES = 64 * 1024;

const TOO_LONG = `a frame longer than ${MAX_LINE_BYTES} bytes`;

/** Frames that are taken in; a sidecar sends up to 200 a second when much changes. Who sends more is read later. */
const FRAMES: RateLimits = { burst: 500, perSecond: 250 };

/** Taken in before all other connections have their turn, bytes: some 50 frames, half a millisecond. */
const TURN_BYTES = 2 * 1024;

/**
 * What is written at a time, bytes: one record of TLS, so that a thousand connections that all want more take 50 ms of a turn.
 * Node's TLS keeps a buffer as large as the largest write for as long as the connection lasts: with whole tables that would
 * be a second copy of each.
 */
const PIECE_BYTES = 16 * 1024;

/** How long a last message may take to leave before the connection is dropped, ms. */
const FLUSH_MS = 1_000;

/** What comes meanwhile is read and dropped up to this, bytes: a peer that goes on and on is dropped with it. */
const MAX_DROPPED_BYTES = 64 * 1024;

/**
 * What a chunk counts as at least, bytes, where strangers send it: they decide how short it is, and a record of TLS with one
 * byte is as much work as this.
 */
const LEAST_CHUNK_BYTES = 1024;

const NEWLINE = 0x0a;

/** Who listens to a connection. */
export interface FrameReader {
  receive(frame: SidecarFrame): void;
  /** A line of flows; with `isWhole` false its beginning only, as it is too long. `line` is lent for the time of the call. */
  flows(line: Buffer, isWhole: boolean): void;
  /** What came is no frame; `message` says why. The reader ends the connection. */
  fail(message: string): void;
  /** The connection has ended, from whichever side. */
  closed(): void;
}

/** One connection. Bytes are taken in from the first `read` or `readFirst` on. */
export class FrameConnection implements SessionLink, SidecarLineSink {
  readonly #socket: Socket;
  /** Frames that may come before it is read later. While some are owed it is not read. */
  readonly #allowance = new TokenBucket(FRAMES, performance.now());
  #reader: FrameReader | undefined;
  /** What waits until the piece before has been written, and how much of the first is in that. */
  readonly #unwritten: Buffer[] = [];
  #writtenOfFirst = 0;
  #unwrittenBytes = 0;
  #isWriting = false;
  readonly #onWritten = (): void => this.#write();
  readonly #turns: ReadingTurns;
  readonly #resume = (): void => void this.#socket.resume();
  readonly #waitForTurn = (): void => this.#turns.add(this.#resume);

  /** @param turns shared with the other connections of the server */
  constructor(socket: Socket, log: Logger, turns: ReadingTurns) {
    this.#socket = socket;
    this.#turns = turns;
    socket.on('error', (err) => log.debug({ err }, 'sidecar connection failed'));
    socket.on('close', () => this.#reader?.closed());
  }

  /** Bytes that the peer has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength + this.#unwrittenBytes;
  }

  /** `reader` gets the first frame. What comes after it waits in the kernel for `read`: it costs nothing but its buffer. */
  readFirst(reader: FrameReader): void {
    this.#reader = reader;
    const socket = this.#socket;
    const parts: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      const end = chunk.indexOf(NEWLINE);
      parts.push(end === -1 ? chunk : chunk.subarray(0, end));
      bytes += Math.max(end === -1 ? chunk.length : end, LEAST_CHUNK_BYTES);
      if (bytes > MAX_LINE_BYTES) return reader.fail(TOO_LONG);
      if (end === -1) return;
      socket.off('data', onData);
      socket.pause();
      if (end + 1 < chunk.length) socket.unshift(chunk.subarray(end + 1));
      this.#deliver(Buffer.concat(parts).toString());
    };
    socket.on('data', onData);
  }

  /** From here on `reader` gets what comes; the one before gets nothing more. */
  read(reader: FrameReader): void {
    this.#reader = reader;
    const lines = new SidecarLines(MAX_LINE_BYTES, this);
    this.#socket.on('data', (chunk: Buffer) => {
      const isLong = chunk.length > TURN_BYTES;
      if (!lines.push(isLong ? chunk.subarray(0, TURN_BYTES) : chunk)) this.#reader?.fail(TOO_LONG);
      const rest = isLong ? chunk.subarray(TURN_BYTES) : undefined;
      this.#rest(rest !== undefined && lines.isInFlows ? this.#takeFlows(lines, rest) : rest);
    });
    this.#socket.resume();
  }

  /** Takes in what belongs to a line of flows: that is copied, and no work of a turn. @returns what comes after it */
  #takeFlows(lines: SidecarLines, chunk: Buffer): Buffer | undefined {
    const end = chunk.indexOf(NEWLINE);
    const bytes = end === -1 ? chunk.length : end + 1;
    this.#allowance.spend(bytes / TURN_BYTES, performance.now());
    lines.push(chunk.subarray(0, bytes));
    return bytes < chunk.length ? chunk.subarray(bytes) : undefined;
  }

  /** See `SidecarLineSink`. */
  flows(line: Buffer, isWhole: boolean): void {
    this.#allowance.spend(1, performance.now());
    this.#reader?.flows(line, isWhole);
  }

  /** See `SidecarLineSink`. */
  line(text: string): void {
    // A long one is as much work as many.
    this.#allowance.spend(1 + Math.floor(text.length / TURN_BYTES), performance.now());
    this.#deliver(text);
  }

  #deliver(line: string): void {
    const frame = parseFrame(line);
    if (typeof frame === 'string') this.#reader?.fail(frame);
    else this.#reader?.receive(frame);
  }

  /** Reads on when others have had their turn, and not before as much may come as has; `rest` is what is left of a chunk. */
  #rest(rest: Buffer | undefined): void {
    const owedMs = this.#allowance.owedMs(performance.now());
    // One that is being closed is read on: what comes is dropped.
    if (!this.#socket.writable) return;
    if (owedMs > 0) {
      this.#socket.pause();
      setTimeout(this.#waitForTurn, owedMs).unref();
    } else if (rest !== undefined) {
      this.#socket.pause();
      this.#waitForTurn();
    }
    if (rest !== undefined) this.#socket.unshift(rest);
  }

  send(frame: FrameBytes): void {
    if (!this.#socket.writable) return;
    const [only] = frame;
    // As most are: thousands of heartbeats a second take no longer way than this.
    if (!this.#isWriting && frame.length === 1 && only !== undefined && only.length <= PIECE_BYTES) {
      this.#isWriting = true;
      this.#socket.write(only, this.#onWritten);
      return;
    }
    for (const part of frame) {
      this.#unwritten.push(part);
      this.#unwrittenBytes += part.length;
    }
    if (!this.#isWriting) this.#write();
  }

  /** Writes one piece, and when that is done the next. */
  #write(): void {
    this.#isWriting = false;
    if (this.#unwrittenBytes === 0 || !this.#socket.writable) return;
    this.#isWriting = true;
    this.#socket.write(this.#piece(PIECE_BYTES), this.#onWritten);
  }

  /** Takes so many bytes at most from what is unwritten. */
  #piece(mostBytes: number): Buffer {
    const parts: Buffer[] = [];
    let bytes = 0;
    let taken = 0;
    for (const part of this.#unwritten) {
      if (bytes === mostBytes) break;
      const piece = part.subarray(this.#writtenOfFirst, this.#writtenOfFirst + mostBytes - bytes);
      parts.push(piece);
      bytes += piece.length;
      this.#writtenOfFirst += piece.length;
      if (this.#writtenOfFirst < part.length) break;
      this.#writtenOfFirst = 0;
      taken += 1;
    }
    this.#unwritten.splice(0, taken);
    this.#unwrittenBytes -= bytes;
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  close(how: 'flush' | 'drop'): void {
    const socket = this.#socket;
    if (how === 'drop') {
      socket.destroy();
      return;
    }
    // What still comes is read and dropped: unread bytes would turn the close into a reset that overtakes the message.
    socket.removeAllListeners('data');
    let dropped = 0;
    socket.on('data', (chunk: Buffer) => {
      dropped += Math.max(chunk.length, LEAST_CHUNK_BYTES);
      if (dropped > MAX_DROPPED_BYTES) socket.destroy();
    });
    socket.resume();
    if (socket.writable && this.#unwrittenBytes > 0) socket.write(this.#piece(this.#unwrittenBytes));
    socket.end();
    setTimeout(() => socket.destroy(), FLUSH_MS).unref();
  }
}

/** The frame, or why the line is none. */
function parseFrame(line: string): SidecarFrame | string {
  try {
    return readSidecarFrame(JSON.parse(line));
  } catch (error) {
    return `not a frame: ${messageOf(error)}`;
  }
}
