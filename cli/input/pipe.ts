/** Named pipes, such as that of `-f <(kubectl get netpol -o yaml)`, read without holding up what else the command waits for. */
import { constants, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';

/** Whether a path is a named pipe. What cannot be looked at is none: its reader says what is wrong with it. */
export function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch {
    return false;
  }
}

/**
 * A pipe's bytes, until its last writer is gone; where there is no writer yet, it waits for one. An ordinary open would wait too,
 * but in a thread that nothing can end: no time limit would hold.
 * @param signal destroys the stream
 * @throws Error of `node:fs`
 */
export function openPipe(path: string, signal?: AbortSignal): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  return signal === undefined ? socket : addAbortSignal(signal, socket);
}
