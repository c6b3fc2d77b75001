/** Splits a stream of text into lines as they come, without waiting for its end. */
import { StringDecoder } from 'node:string_decoder';

/** Longer lines are not questions: the input is something else, or a newline is missing. 1 Mi characters. */
export const MAX_LINE_CHARACTERS = 1024 * 1024;

/** A line without its end; undefined for one longer than `MAX_LINE_CHARACTERS`, which is not kept. */
export type TextLine = string | undefined;

/**
 * Yields the complete lines of each chunk together; what stands after the last line end comes last. A carriage return
 * before the line end and a byte order mark at a line's start, as Windows writes them, are no part of a line.
 */
export async function* linesByChunk(
  chunks: AsyncIterable<Buffer | string>,
): AsyncGenerator<readonly TextLine[]> {
  const decoder = new StringDecoder('utf8');
  let rest: TextLine = '';
  for await (const chunk of chunks) {
    const parts = (typeof chunk === 'string' ? chunk : decoder.write(chunk)).split('\n');
    const lines: TextLine[] = [];
    for (const [index, part] of parts.entries()) {
      if (index > 0) {
        lines.push(bare(rest));
        rest = '';
      }
      rest = append(rest, part);
    }
    if (lines.length > 0) yield lines;
  }
  rest = append(rest, decoder.end());
  if (rest !== '') yield [bare(rest)];
}

/** Undefined as soon as the line cannot end within the limit, so that memory stays bounded. */
function append(line: TextLine, part: string): TextLine {
  const whole = line === undefined ? undefined : line + part;
  return whole === undefined || whole.length > MAX_LINE_CHARACTERS + MARKS ? undefined : whole;
}

/** A byte order mark and a carriage return do not count. */
const MARKS = 2;

function bare(line: TextLine): TextLine {
  const text = line?.replace(/^\uFEFF/, '').replace(/\r$/, '');
  return text === undefined || text.length > MAX_LINE_CHARACTERS ? undefined : text;
}
