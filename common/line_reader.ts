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
      if (this.#length + end - start > this.#maxBytes) return false;
      const line =
        this.#parts.length === 0 ? chunk.toString('utf8', start, end) : this.#end(chunk.subarray(start, end));
      start = end + 1;
      this.#sink.line(line);
    }
    return start === chunk.length || this.#keep(chunk.subarray(start));
  }

  /** A line that came in several chunks. */
  #end(last: Buffer): string {
    const line = Buffer.concat([...this.#parts, last]).toString('utf8');
    this.#parts = [];
    this.#length = 0;
    return line;
  }

  #keep(part: Buffer): boolean {
    this.#length += part.length;
    if (part.length > 0) this.#parts.push(part);
    return this.#length <= this.#maxBytes;
  }
}
