/** Writing to streams of people and programs: what the text holds of others' names can never steer a terminal. */
import type { Writable } from 'node:stream';
import { printableLines } from '../common/printable.ts';

/** A stream that is written to the end before the next step: its reader may be slow or go away, as in `| head`. */
export interface Output {
  /**
   * Resolves when the text is handed over; false when it could not be, because the reader is gone or the disk is full,
   * and writing more is useless. `watchOutput` turns that into the exit code.
   * @param lead Goes before the text as it is, such as a coloured word.
   */
  write(text: string, lead?: string): Promise<boolean>;
}

/** Wraps a stream that has a listener for its errors. */
export function createOutput(stream: Writable): Output {
  return {
    write: (text, lead = '') =>
      new Promise((resolve) => stream.write(`${lead}${printableLines(text)}`, (error) => resolve(!error))),
  };
}

/** Prints text on standard output. */
export function print(text: string): void {
  process.stdout.write(printableLines(text));
}

/** Prints a message on standard error, with a line end. */
export function complain(message: string): void {
  process.stderr.write(`${printableLines(message)}\n`);
}
