/** Writing to a stream whose reader may be slow or may go away, as in `sluice can --batch - | head`. */
import type { Writable } from 'node:stream';

/** A stream that is written to the end before the next step. */
export interface Output {
  /**
   * Resolves when the text is handed over; false when it could not be, because the reader is gone or the disk is full,
   * and writing more is useless. `watchOutput` turns that into the exit code.
   */
  write(text: string): Promise<boolean>;
}

/** Wraps a stream that has a listener for its errors. */
export function createOutput(stream: Writable): Output {
  return {
    write: (text) => new Promise((resolve) => stream.write(text, (error) => resolve(!error))),
  };
}
