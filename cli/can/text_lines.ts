/** Splits a stream of text into lines as they come, without waiting for its end. */
import { StringDecoder } from 'node:string_decoder';
import { SluiceError } from '../../policy/errors.ts';

/** Longer lines are not questions: the input is something else, or a newline is missing. */
const MAX_LINE_CHARACTERS = 1024 * 1024;

/**
 * Yields the complete lines of each chunk together, without their line ends; what stands after the last line end
 * comes last.
 * @throws SluiceError `QUESTION_INVALID` when a line does not end within 1 Mi characters.
 */
export async function* linesByChunk(
  chunks: AsyncIterable<Buffer | string>,
): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk))).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARACTERS) {
      throw new SluiceError('QUESTION_INVALID', `a line is longer than ${MAX_LINE_CHARACTERS} characters`);
    }
    if (lines.length > 0) yield lines.map(trimReturn);
  }
  rest += decoder.end();
  if (rest !== '') yield [trimReturn(rest)];
}

function trimReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
