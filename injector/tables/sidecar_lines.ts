/** Cuts what comes from a sidecar into lines. Frames become text; lines of flows are passed on as they are, however they are cut. */
import { FLOWS_LINE, MAX_FLOWS_LINE_BYTES } from '../../policy/index.ts';

const NEWLINE = 0x0a;
const FLOWS_START = Buffer.from(FLOWS_LINE);

/** What is kept of a line that comes in several chunks has at least this much room, bytes; it grows by doubling. */
const LEAST_ROOM_BYTES = 4 * 1024;

const NOTHING = Buffer.alloc(0);

/** What lines are given to, each without its newline. */
export interface SidecarLineSink {
  /** A frame. */
  line(text: string): void;
  /**
   * A line of flows; with `isWhole` false its beginning only, as it is longer than it may be.
   * @param line lent for the time of the call
   */
  flows(line: Buffer, isWhole: boolean): void;
}

/** Collects bytes until a line is complete. A sidecar decides into how many chunks a line is cut: a single copy of it is kept. */
export class SidecarLines {
  readonly #maxBytes: number;
  readonly #sink: SidecarLineSink;
  /** The beginning of a line: as much of `#room` as `#kept` says. */
  #room = NOTHING;
  #kept = 0;
  /** Of that line so far; of flows more than is kept, where the line is too long. */
  #length = 0;

  /** @param maxBytes longest frame */
  constructor(maxBytes: number, sink: SidecarLineSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Whether a line of flows has begun and not ended. */
  get isInFlows(): boolean {
    return isFlows(this.#room.subarray(0, this.#kept));
  }

  /** Takes in a chunk. Returns false once a frame is too long: the stream is then of no use. */
  push(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (!this.#end(chunk.subarray(start, end))) return false;
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return this.#length <= this.#maxBytes || this.isInFlows;
  }

  /** @param last of a line */
  #end(last: Buffer): boolean {
    let line = last;
    if (this.#length > 0) {
      this.#keep(last);
      line = this.#room.subarray(0, this.#kept);
    }
    const length = Math.max(this.#length, last.length);
    this.#room = NOTHING;
    this.#kept = 0;
    this.#length = 0;
    if (isFlows(line)) this.#sink.flows(line, length <= MAX_FLOWS_LINE_BYTES);
    else if (length > this.#maxBytes) return false;
    else this.#sink.line(line.toString());
    return true;
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    const kept = Math.min(this.#length, MAX_FLOWS_LINE_BYTES);
    if (kept > this.#room.length) {
      const room = Buffer.allocUnsafeSlow(Math.max(kept, 2 * this.#room.length, LEAST_ROOM_BYTES));
      this.#room.copy(room, 0, 0, this.#kept);
      this.#room = room;
    }
    part.copy(this.#room, this.#kept, 0, kept - this.#kept);
    this.#kept = kept;
  }
}

function isFlows(line: Buffer): boolean {
  return (
    line.length >= FLOWS_START.length &&
    line.compare(FLOWS_START, 0, FLOWS_START.length, 0, FLOWS_START.length) === 0
  );
}
