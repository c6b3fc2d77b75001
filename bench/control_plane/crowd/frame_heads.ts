/** Finds frames in a byte stream without reading them: thousands of large tables must not cost the reader more than its core. */

const NEWLINE = 0x0a;

/** So much of each frame is text; the type and the revision are in it. */
const HEAD_BYTES = 256;

/** Splits a stream into lines, and gives of each the beginning and the length. */
export class FrameHeads {
  readonly #sink: (head: string, bytes: number) => void;
  #head = '';
  #bytes = 0;

  /** @param sink gets the first 256 bytes of a line, and its length in bytes with the newline */
  constructor(sink: (head: string, bytes: number) => void) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    for (let start = 0; start < chunk.length; ) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.length : newline;
      if (this.#bytes < HEAD_BYTES)
        this.#head += chunk.toString('latin1', start, Math.min(end, start + HEAD_BYTES - this.#bytes));
      this.#bytes += end - start;
      start = end + 1;
      if (newline === -1) return;
      const [head, bytes] = [this.#head, this.#bytes + 1];
      this.#head = '';
      this.#bytes = 0;
      this.#sink(head, bytes);
    }
  }
}
