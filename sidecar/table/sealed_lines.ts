/**
 * Lines with checksums. A line is its text, a tab, the CRC-32 of the text as eight hexadecimal digits, and a newline. The text is
 * JSON, which has neither a tab nor a newline where it is written without spaces.
 *
 * A process that dies while it appends leaves a beginning of what it wrote: whole lines, then perhaps a line without its newline.
 * So a last line without a newline was never finished, and any other line that does not match its checksum is damage.
 */
import { crc32 } from 'node:zlib';

const NEWLINE = 0x0a;
const TAB = 0x09;

/** The digits of a CRC-32. */
const DIGITS = 8;

/** Length of what follows the text of a line, without the newline. */
const SEAL_BYTES = 1 + DIGITS;

/** Bytes that are made and written at once: a table of 10,000 peers takes some 8 rounds. */
const CHUNK_BYTES = 64 * 1024;

/** The lines of some texts, in chunks of about `CHUNK_BYTES`. A text is taken piece by piece, and only as far as the chunk needs. */
export function* sealedLines(texts: Iterable<Iterable<string>>): Generator<Buffer> {
  const chunk = new Chunk();
  for (const text of texts) {
    let sum = 0;
    for (const part of parts(text)) {
      sum = crc32(part, sum);
      if (chunk.add(part)) yield chunk.take();
    }
    chunk.add(Buffer.from(`\t${digits(sum)}\n`));
  }
  yield chunk.take();
}

/** Whether bytes hold a whole line. A table file of the former form is one text without a newline. */
export function hasLines(bytes: Buffer): boolean {
  return bytes.includes(NEWLINE);
}

/**
 * The texts of the lines. A last line without its newline is left out.
 * @throws what `refuse` makes, for the first line that does not match its checksum
 */
export function* readSealedLines(bytes: Buffer, refuse: (problem: string) => Error): Generator<string> {
  let begin = 0;
  for (let number = 1; ; number += 1) {
    const end = bytes.indexOf(NEWLINE, begin);
    if (end === -1) return;
    const text = unsealed(bytes.subarray(begin, end));
    if (text === undefined) throw refuse(`line ${number} does not match its checksum`);
    yield text.toString();
    begin = end + 1;
  }
}

/** The text of a line, if it is the one that was written. */
function unsealed(line: Buffer): Buffer | undefined {
  const end = line.length - SEAL_BYTES;
  if (end < 0 || line[end] !== TAB) return undefined;
  const text = line.subarray(0, end);
  return line.subarray(end + 1).toString('latin1') === digits(crc32(text)) ? text : undefined;
}

function digits(sum: number): string {
  return sum.toString(16).padStart(DIGITS, '0');
}

/** A text as bytes, in parts that are not tiny: a checksum and a copy for each piece would cost more than the piece. */
function* parts(text: Iterable<string>): Generator<Buffer> {
  let gathered = '';
  for (const piece of text) {
    gathered += piece;
    if (gathered.length < CHUNK_BYTES) continue;
    yield Buffer.from(gathered);
    gathered = '';
  }
  yield Buffer.from(gathered);
}

/** Bytes that are gathered until they are worth a write. */
class Chunk {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @returns whether there is enough */
  add(part: Buffer): boolean {
    this.#parts.push(part);
    this.#bytes += part.length;
    return this.#bytes >= CHUNK_BYTES;
  }

  take(): Buffer {
    const all = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return all;
  }
}
