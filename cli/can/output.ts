/** Writing to a stream whose reader may be slow or may go away, as in `sluice can --batch - | head`. */
import type { Writable } from 'node:stream';

/** A stream that is written to the end before the next step. */
export interface Output {
  /** Resolves when the text is handed over; false when the reader is gone and writing more is useless. */
  write(text: string): Promise<boolean>;
  /** Stops listening for errors of the stream. */
  close(): void;
}

/** The reader has closed its end of the pipe. */
const READER_GONE = 'EPIPE';

/** Wraps a stream. Errors other than a reader that went away are thrown by `write`. */
export function createOutput(stream: Writable): Output {
  // Node emits the error as well as handing it to the callback; without a listener it would end the process.
  const ignore = () => {};
  stream.on('error', ignore);
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => {
          if (!error) resolve(true);
          else if ('code' in error && error.code === READER_GONE) resolve(false);
          else reject(error);
        });
      }),
    close: () => {
      stream.off('error', ignore);
    },
  };
}
