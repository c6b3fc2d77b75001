/** Lines of a stream, within bounds. */
import { SluiceError } from '../../common/errors.ts';

/** Longest line, bytes: an edge with its explanation has some 1,500. */
const MAX_LINE_BYTES = 256 * 1024;

const LINE_END = 0x0a;

/** A line, with its number from 1. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/**
 * Lines without their ends; empty ones are passed over.
 * @param name of the stream, for messages
 * @throws SluiceError `FLOWS_UNREADABLE` for a line that is too long; what the stream throws
 */
export async function* boundedLines(
  stream: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<NumberedLine, void> {
  let parts: Buffer[] = [];
  let size = 0;
  let number = 0;
  const take = (part: Buffer): void => {
    parts.push(part);
    size += part.length;
    if (size > MAX_LINE_BYTES)
      throw new SluiceError(
        'FLOWS_UNREADABLE',
        `${name}, line ${number + 1}: longer than ${MAX_LINE_BYTES / 1024} KiB: is it lines of observe -o ndjson?`,
      );
  };
  const end = (): NumberedLine => {
    const text = Buffer.concat(parts).toString().trim();
    parts = [];
    size = 0;
    number += 1;
    return { number, text };
  };
  for await (const chunk of stream) {
    let from = 0;
    for (let to = chunk.indexOf(LINE_END); to !== -1; to = chunk.indexOf(LINE_END, from)) {
      take(chunk.subarray(from, to));
      from = to + 1;
      const line = end();
      if (line.text !== '') yield line;
    }
    take(chunk.subarray(from));
  }
  const last = end();
  if (last.text !== '') yield last;
}
