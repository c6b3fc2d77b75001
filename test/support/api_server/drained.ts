/** Writing no faster than is read. */
import type { ServerResponse } from 'node:http';

/** Resolves once more may be written, or nothing more can be. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
