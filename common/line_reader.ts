/** Cuts a byte stream into lines, with a bound on their length. */

const NEWLINE = 0x0a;

/** What lines are given to. */
export interface LineSink {
  /** A whole line, without its newline. */
  line(text: string): void;
}

/** Collects bytes until a line is complete. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #sink: LineSink;
  #parts: Buffer[] = [];
  #length = 0;

  /** @param maxBytes Longest line, without its newline. */
  constructor(maxBytes: number, sink: LineSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Takes in a chunk. Returns false once a line is too long: the stream is then of no use. */
  push(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (!this.#keep(chunk.subarray(start, end))) return false;
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#parts = [];
      this.#length = 0;
      start = end + 1;
      this.#sink.line(line);
    }
    return this.#keep(chunk.subarray(start));
  }

  #keep(part: Buffer): boolean {
    this.#length += part.length;
    if (part.length > 0) this.#parts.push(part);
    return this.#length <= this.#maxBytes;
  }
}
